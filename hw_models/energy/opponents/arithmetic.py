"""Bare 45 nm arithmetic, the convention of many papers: the spiking network beside its fair opponents.

The opponents have the same architecture and make one dense pass: a ReLU network in float and in 8 bits, and the
quantised network of equal information. T steps tell T + 1 spike counts apart, so its activations have
ceil(log2(T + 1)) bits (Yan et al., arXiv 2409.08290v4), its weights 8 as the spiking network's. What it is given from
outside in 8 bits, or from the host, stays in 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import networkx as nx
import numpy as np

from ...chip_network.form import ChipNetwork, HostProjection, Projection
from ..constant_set import load_constants
from ..counts import ActivityCounts
from ..fan_out import dense_macs
from ..figures import Count, Joules, Part, Status, Term
from ..models import PricedEvents, add_terms
from ..units import readable

WEIGHT_BITS = 8
Priced = tuple[str, np.ndarray, str]  # operations, how many a sample, name of the constant
Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")


class ArithmeticRow(Part):
    """A network in bare arithmetic; `bounds_because`: only the ends of its range have a source."""

    network: str
    precision: Precision
    activation_bits: Count | None
    bounds_because: str | None
    terms: list[Term]
    total: Joules


class Arithmetic(Part):
    """The 45 nm convention."""

    model: str
    title: str
    status: Status
    rows: list[ArithmeticRow]
    not_included: list[str]

    def against_int8(self) -> str | None:
        """Whether the int8 ReLU network would have cost less, in a sentence; None where it has no feed-forward equal.

        As in break_even.py, both sides are compared at the same end of the constants: one adder with itself.
        """
        totals = {row.network: row.total for row in self.rows if row.precision == "int8"}
        spiking, relu = totals["spiking"], totals.get("ReLU network")
        if relu is None:
            return None
        less = {relu.mean < spiking.mean, relu.low < spiking.low}
        verdict = "the int8 ReLU network would have cost less" if less == {True} else (
            "the int8 ReLU network would not have cost less" if less == {False} else
            "the width of the adder decides whether the int8 ReLU network costs less"
        )  # fmt: skip
        return (
            f"In bare 8-bit arithmetic {verdict}: {_with_low(relu)} a sample in one dense pass, "
            f"the spiking network {_with_low(spiking)}."
        )


@dataclass
class DensePass:
    """MACs of one pass of the same architecture without spikes; zero weights included, padding not.

    Attributes:
        of_host: in the layers that the host computes.
        of_levels: with graded messages from outside.
        of_activations: with what stands for spikes.
    """

    of_host: int
    of_levels: int
    of_activations: int

    @property
    def macs(self) -> int:
        """All of them."""
        return self.of_host + self.of_levels + self.of_activations


def has_dense_equal(network: ChipNetwork) -> bool:
    """False for a network with loops or delays, which has no feed-forward equal."""
    graph = nx.DiGraph((p.source, p.target) for p in network.projections.values())
    return nx.is_directed_acyclic_graph(graph) and not any(p.delay for p in network.projections.values())


def dense_pass(network: ChipNetwork) -> DensePass | None:
    """None for a network that has no feed-forward equal."""
    if not has_dense_equal(network):
        return None

    def macs(layer: Projection | HostProjection) -> int:
        return dense_macs(layer.weight, layer.geometry, network.source_shape(layer.source))

    graded = {name for name, given in network.inputs.items() if given.mode == "graded"}
    return DensePass(
        of_host=sum(macs(h) for h in network.host_projections.values()),
        of_levels=sum(macs(p) for p in network.projections.values() if p.source in graded),
        of_activations=sum(macs(p) for p in network.projections.values() if p.source not in graded),
    )


def activation_bits(steps: int) -> int:
    """Bits that hold as much as the spike count of a neuron over `steps` steps: ceil(log2(steps + 1))."""
    return steps.bit_length()


def activation_constant(steps: int) -> str | None:
    """What prices an 8-bit weight times such an activation; None where no constant bounds it.

    A product with one bit is the weight or nothing, as with a spike: an accumulate.
    """
    bits = activation_bits(steps)
    if bits > WEIGHT_BITS:
        return None
    return {1: "int8_accumulate", WEIGHT_BITS: "int8_mac"}.get(bits, "int8_mac_fewer_bits")


def arithmetic_45nm(network: ChipNetwork, counts: ActivityCounts) -> Arithmetic:
    """Accumulates and multiply-accumulates of a sample, priced as bare 45 nm arithmetic.

    A synaptic operation of a binary spike is an accumulate; of a graded message, and of a host-computed layer, a
    multiply-accumulate. Each opponent stands beside the spiking network in its own precision, because a float network
    against a quantised one would decide the comparison by itself.
    """
    dense = dense_pass(network)
    rows = []
    for precision in PRECISIONS:
        rows.append(_row("spiking", precision, spiking_terms(counts, precision)))
        if dense is not None:
            macs: list[Priced] = [("MACs, dense", np.array([dense.macs]), f"{precision}_mac")]
            rows.append(_row("ReLU network", precision, macs))
    bits, key = activation_bits(counts.steps), activation_constant(counts.steps)
    without = []
    if dense is not None and key is not None:
        rows.append(_quantised(dense, bits, key))
    elif dense is not None:
        without = [f"quantised ReLU network with {bits}-bit activations: no constant beyond {WEIGHT_BITS} bits"]
    constants = load_constants("cmos45_horowitz2014")
    return Arithmetic(
        model=constants.name,
        title=constants.title,
        status="modelled, arithmetic only",
        rows=rows,
        not_included=[
            "memory, control, routing, leakage",
            f"neuron updates ({float(np.mean(counts.updates_active())):,.0f} active a sample): the convention "
            "counts synapses only",
            *without,
        ],
    )


def spiking_terms(counts: ActivityCounts, precision: str) -> list[Priced]:
    """Operations of the spiking network; the host's are float in any precision."""
    host = np.full(counts.samples, sum(counts.host_macs.values()), dtype=np.int64)
    return [
        ("accumulates (binary spikes)", counts.synaptic_operations(graded=False), f"{precision}_accumulate"),
        ("MACs (graded messages)", counts.synaptic_operations(graded=True), f"{precision}_mac"),
        ("MACs on the host, in float", host, "fp32_mac"),
    ]


def _with_low(total: Joules) -> str:
    mean, low = readable(total.mean, "J"), readable(total.low, "J")
    return mean if mean == low else f"{mean} ({low} with 8-bit sums)"


def _quantised(dense: DensePass, bits: int, key: str) -> ArithmeticRow:
    what = "accumulates, dense" if bits == 1 else f"MACs, dense, {WEIGHT_BITS} by {bits} bits"
    terms: list[Priced] = [
        (what, np.array([dense.of_activations]), key),
        ("MACs, dense, of 8-bit input", np.array([dense.of_host + dense.of_levels]), "int8_mac"),
    ]
    bounds = None
    if key == "int8_mac_fewer_bits":
        bounds = f"no constant for {WEIGHT_BITS} by {bits} bits: at least its addition, at most an 8-bit MAC"
    return _row("quantised ReLU network", "int8", terms, activation_bits=bits, bounds_because=bounds)


def _row(
    who: str,
    precision: Precision,
    terms: list[Priced],
    *,
    activation_bits: int | None = None,
    bounds_because: str | None = None,
) -> ArithmeticRow:
    constants = load_constants("cmos45_horowitz2014")
    built = [PricedEvents(name, count, key, constants[key]) for name, count, key in terms if count.any()]
    return ArithmeticRow(
        network=who,
        precision=precision,
        activation_bits=activation_bits,
        bounds_because=bounds_because,
        terms=[t.figures() for t in built],
        total=add_terms(built),
    )
