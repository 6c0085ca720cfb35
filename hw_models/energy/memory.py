"""What a chip's cores read and write while a sample runs: exact counts, in the formats of the chip's description.

* **Synapses**: the words that messages read, see `dalif_deploy.hw_models.mapping.synapse_reads`; needs a mapping.
* **State**: current and membrane of a neuron, 24 bits each. Every neuron is read in each step; an active update
  (see counts.py) writes both back.

Accesses, not energy: no source prices a word or a bit of Loihi's memories, and the prices of operations and updates
already contain their accesses. opponents/memory_accounting.py prices accesses of 45 nm memories, for a comparison.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..chip_network.form import STATE_LIMIT
from .counts import ActivityCounts
from .figures import Count, Named, OverSamples, Part, Status

STATE_BITS = 2 * STATE_LIMIT.bit_length()  # u and v, each with its sign
NOT_COUNTED = [
    "sums of synaptic input on their way to the neuron, axon tables, biases, thresholds and decays: no source says how "
    "a core keeps them",
    "weights and registers written when a network is loaded, membranes read out or reset by the host",
]


class Accesses(Part):
    """What a sample reads and writes; synapses null where the network is not mapped."""

    synapse_words_read: OverSamples | None
    synapse_bytes_read: OverSamples | None
    state_bytes_read: OverSamples
    state_bytes_written: OverSamples


class LayerAccesses(Accesses, Named):
    """Accesses on the cores of a layer."""


class Memory(Part):
    """Accesses a layer and in all; a word of synapse memory and a neuron's state in bits."""

    status: Status
    word_bits: Count | None
    state_bits: Count
    layers: list[LayerAccesses]
    total: Accesses
    no_words_because: str | None
    not_counted: list[str]


def memory_figures(counts: ActivityCounts) -> Memory:
    """Accesses of a sample, a layer and in all; synapses None without a mapping."""
    traffic = counts.traffic
    encoding = None if traffic is None else traffic.mapping.chip.synapse_encoding
    words = {} if traffic is None else traffic.words_read
    all_words = sum(words.values(), np.zeros(counts.samples, dtype=np.int64))
    word_bits = None if encoding is None else encoding.word_bits
    assumed = encoding is not None and encoding.assumed
    return Memory(
        status="assumed encoding of synapses" if assumed else "modelled accesses, exactly counted",
        word_bits=word_bits,
        state_bits=STATE_BITS,
        layers=[
            LayerAccesses(
                name=name,
                **_accesses(words.get(name), word_bits, population.updates_active, population.updates_inactive),
            )
            for name, population in counts.populations.items()
        ],
        total=Accesses(**_accesses(all_words, word_bits, counts.updates_active(), counts.updates_inactive())),
        no_words_because=None if traffic else "synapses lie in words only where the network is mapped onto cores",
        not_counted=NOT_COUNTED,
    )


def _accesses(
    words: np.ndarray | None, word_bits: int | None, active: np.ndarray, inactive: np.ndarray
) -> dict[str, Any]:
    mapped = None if words is None or word_bits is None else (words, words * word_bits / 8)
    return {
        "synapse_words_read": None if mapped is None else OverSamples.of(mapped[0]),
        "synapse_bytes_read": None if mapped is None else OverSamples.of(mapped[1]),
        "state_bytes_read": OverSamples.of((active + inactive) * STATE_BITS / 8),
        "state_bytes_written": OverSamples.of(active * STATE_BITS / 8),
    }
