"""A ReLU network beside the spiking one at equal accuracy, not merely of equal architecture.

Both are judged on the same samples: the ReLU network in 8-bit weights and activations, the spiking one on the chip's
integers. Prices are those of arithmetic.py, 8 bits on both sides; with memory, those of memory_accounting.py.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..constant_set import load_constants
from ..figures import Count, Joules, OverSamples, Part, Share, Status
from ..models import PricedEvents, add_terms
from ..units import readable
from .arithmetic import Arithmetic
from .memory_accounting import SPIKING, AccountRow, DenseLayer, MemoryAccount, dense_row, which_costs_less

EQUAL = 0.01  # shares of right classes that are less apart are called equal


class Baseline8Bit(Part):
    """What was measured of a ReLU network.

    Attributes:
        accuracy_float: before it was brought to 8 bits.
        macs: of one dense pass; zero weights included, padding not.
        macs_with_input: MACs whose activation is not zero, which a machine that skips zeros would do.
    """

    file: str
    accuracy: Share
    accuracy_float: Share
    macs: Count
    macs_with_input: OverSamples
    layers: list[DenseLayer]


class EqualAccuracy(Part):
    """The comparison that --baseline asks for.

    Attributes:
        equal: accuracies are within a point of each other.
        baseline_memory: the ReLU network with memory priced.
    """

    status: Status
    samples: Count
    baseline: Baseline8Bit
    spiking_accuracy: Share
    equal: bool
    baseline_joules: Joules
    baseline_joules_skipping_zeros: Joules
    spiking_joules: Joules
    less: Literal["baseline", "spiking", "the width of the adder decides"]
    sentence: str
    baseline_memory: AccountRow
    memory_sentence: str


def equal_accuracy(
    baseline: Baseline8Bit, spiking_accuracy: float, arithmetic: Arithmetic, memory: MemoryAccount, samples: int
) -> EqualAccuracy:
    """The report's part; `arithmetic` and `memory` are of the spiking network."""
    constants = load_constants("cmos45_horowitz2014")
    mac = constants["int8_mac"]
    dense = add_terms([PricedEvents("MACs", np.array([baseline.macs]), "int8_mac", mac)])
    skipping = add_terms([PricedEvents("MACs", np.array([baseline.macs_with_input.mean]), "int8_mac", mac)])
    (spiking,) = (row.total for row in arithmetic.rows if (row.network, row.precision) == ("spiking", "int8"))
    memory_row = dense_row(baseline.file, baseline.layers)
    (memory_spiking,) = (row.total for row in memory.rows if row.network == SPIKING)
    smaller = {dense.mean < spiking.mean, dense.low < spiking.low}
    less: Literal["baseline", "spiking", "the width of the adder decides"] = "the width of the adder decides"
    if len(smaller) == 1:
        less = "baseline" if smaller == {True} else "spiking"
    apart = baseline.accuracy - spiking_accuracy
    equal = round(abs(apart), 9) <= EQUAL
    accuracies = f"{baseline.accuracy:.1%} and {spiking_accuracy:.1%}"
    return EqualAccuracy(
        status="modelled, arithmetic only",
        samples=samples,
        baseline=baseline,
        spiking_accuracy=spiking_accuracy,
        equal=equal,
        baseline_joules=dense,
        baseline_joules_skipping_zeros=skipping,
        spiking_joules=spiking,
        less=less,
        sentence=(
            f"{'At equal accuracy' if equal else 'Not at equal accuracy'} ({accuracies}), "
            f"the int8 ReLU network's arithmetic costs {readable(dense.mean, 'J')} a sample, "
            f"the spiking network's {readable(spiking.mean, 'J')}"
        ),
        baseline_memory=memory_row,
        memory_sentence=which_costs_less(memory_spiking, memory_row.total, f"the int8 ReLU network of {baseline.file}"),
    )
