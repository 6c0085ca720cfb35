"""Memory and addresses priced after Lemaire et al. 2022 (ICONIP): the spiking network beside dense 8-bit ReLU networks.

Numbers in brackets are the paper's equations, as its authors' group implements them (EnergyEstimationMetric.py of
github.com/LEAT-EDGE/qualia-plugin-snn at 15165fe). Exact counts stand in for its averages.

* **Spiking network**, a sample of T steps. Each message reads its input (5) and one weight a synaptic operation (7, 8).
  Each synaptic operation reads and writes a membrane, and so does each neuron in each step (9, 10, 14, 15). Biases are
  read in each step (7s). A spike is written (13). Addresses: an addition a synaptic operation (16.3, 17.2), and two
  multiply-accumulates for each message into a convolution (16.2).
* **ReLU network**, one dense pass. Each multiply-accumulate reads a weight (6); in a convolution it reads its input
  (3), elsewhere an input is read once (4). Biases are read and outputs written once (6s, 11, 12). Addresses: in a
  convolution an addition for each input, output and step of the kernel; elsewhere one a multiply-accumulate.

An access has two prices. The paper's is the value: each datum is an access of its own, whose energy grows with what the
memory holds. The low end is a later option of the same code: data are packed into accesses of 64 bits.

The memories are 45 nm SRAM, not the chip's, whose prices already contain them: a second account, never to be added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...chip_network.form import STATE_LIMIT, ChipNetwork, HostProjection, Projection
from ..constant_set import Constant, load_constants
from ..counts import ActivityCounts
from ..fan_out import dense_macs
from ..figures import Count, Joules, OverSamples, Part, Status
from ..models import PricedEvents, add_terms
from ..units import readable
from .arithmetic import WEIGHT_BITS, has_dense_equal, spiking_terms

CONSTANTS = "cmos45_horowitz2014"
MEMBRANE_BITS = STATE_LIMIT.bit_length()
HOST_BITS = 32  # floats
BUS_BITS = 64
What = Literal["weights", "membranes", "biases", "inputs and outputs", "addresses", "arithmetic"]
Cheaper = Literal["the ReLU network", "the spiking network", "the price of an access decides"]
STATUS = "modelled, 45 nm memories in place of the chip's"
SPIKING, RELU = "spiking", "ReLU network"


class AccountTerm(Part):
    """Accesses, or operations, and their energy; `low` with data packed into accesses of 64 bits."""

    name: What
    count: OverSamples
    joules: Joules


class AccountRow(Part):
    """A network by this account."""

    network: str
    terms: list[AccountTerm]
    total: Joules


class MemoryAccount(Part):
    """The account of Lemaire et al. for networks of the same form."""

    title: str
    model: str
    status: Status
    rows: list[AccountRow]
    not_included: list[str]

    def names(self) -> list[What]:
        """Of the terms of all rows, each once."""
        return list(dict.fromkeys(term.name for row in self.rows for term in row.terms))

    def sentence(self) -> str | None:
        """Which costs less with memory priced; None where the network has no feed-forward equal."""
        totals = {row.network: row.total for row in self.rows}
        return None if RELU not in totals else which_costs_less(totals[SPIKING], totals[RELU], "the int8 ReLU network")


class DenseLayer(Part):
    """A layer of a dense pass.

    Attributes:
        inputs, outputs: activations; 0 outputs where another layer's row has them already.
        weights, biases: that its memories hold.
        kernel_steps: output channels times positions of the kernel; 0 where it is no convolution.
        macs: zero weights included, padding not.
    """

    inputs: Count
    outputs: Count
    weights: Count
    biases: Count
    kernel_steps: Count
    macs: Count


@dataclass
class _Accesses:
    """So many accesses [samples] of data of `bits` bits, in a memory that holds `data` of them."""

    what: What
    count: np.ndarray
    bits: int
    data: int


def memory_account(network: ChipNetwork, counts: ActivityCounts) -> MemoryAccount:
    """The report's part: the spiking network, and a ReLU network of its form where there is one."""
    layers = dense_layers(network)
    rows = [_spiking_row(network, counts)]
    if layers is not None:
        rows.append(dense_row(RELU, layers))
    return MemoryAccount(
        title="memory priced as by Lemaire et al. 2022",
        model=CONSTANTS,
        status=STATUS,
        rows=rows,
        not_included=[
            "reuse of data by the ReLU network: every multiply-accumulate reads its weight anew",
            "synaptic currents, which the account does not know; axon tables; routing, control, leakage",
        ],
    )


def which_is_less(spiking: Joules, relu: Joules) -> Cheaper:
    """Of two totals, each compared at the same price of an access."""
    less = {relu.mean < spiking.mean, relu.low < spiking.low}
    if len(less) == 2:
        return "the price of an access decides"
    return "the ReLU network" if less == {True} else "the spiking network"


def which_costs_less(spiking: Joules, relu: Joules, name: str) -> str:
    """A sentence on two totals; `name` is the ReLU network's."""
    verdict = {
        "the ReLU network": f"{name} would have cost less",
        "the spiking network": f"{name} would not have cost less",
        "the price of an access decides": f"the price of an access decides whether {name} costs less",
    }[which_is_less(spiking, relu)]
    return (
        f"With memory priced, {verdict}: {_both(relu)} a sample, the spiking network {_both(spiking)} "
        "(in brackets: data packed into 64 bits)."
    )


def dense_layers(network: ChipNetwork) -> list[DenseLayer] | None:
    """Layers of the network's form in one dense pass; None for loops and delays, which have no feed-forward equal."""
    if not has_dense_equal(network):
        return None
    layers, counted = [], set()
    for layer in network.layers():
        first = layer.target not in counted  # branches that meet write and bias their sum once
        counted.add(layer.target)
        biases = layer.bias.size if isinstance(layer, HostProjection) else _own_biases(network, layer)
        layers.append(_dense_layer(network, layer, biases if first else 0, first))
    return layers


def dense_row(name: str, layers: list[DenseLayer]) -> AccountRow:
    """One dense pass in 8-bit data."""
    account = _Account()
    for layer in layers:
        account.dense(layer, WEIGHT_BITS)
    macs = np.array([sum(layer.macs for layer in layers)])
    return account.row(name, [PricedEvents("MACs", macs, "int8_mac", load_constants(CONSTANTS)["int8_mac"])])


def _spiking_row(network: ChipNetwork, counts: ActivityCounts) -> AccountRow:
    account = _Account()
    for name, p in network.projections.items():
        found = counts.projections[name]
        account.add("inputs and outputs", found.messages, WEIGHT_BITS, 0)
        account.add("weights", found.synaptic_operations, WEIGHT_BITS, p.weight.size)
        for _ in ("read", "written"):
            account.add("membranes", found.synaptic_operations, MEMBRANE_BITS, network.populations[p.target].size)
        account.address(found.synaptic_operations, 0 * found.messages if p.geometry is None else 2 * found.messages)
    from_host = {h.target for h in network.host_projections.values()}
    for name, population in network.populations.items():
        each_step = np.array([population.size * counts.steps])
        for _ in ("read", "written"):
            account.add("membranes", each_step, MEMBRANE_BITS, population.size)
        if name in from_host or population.bias.any():
            held = population.size if name in from_host else population.bias.size
            account.add("biases", each_step, WEIGHT_BITS, held)
        account.add("inputs and outputs", counts.populations[name].spikes, WEIGHT_BITS, 0)
    for h in network.host_projections.values():
        account.dense(_dense_layer(network, h, h.bias.size, True), HOST_BITS)
    constants = load_constants(CONSTANTS)
    terms = spiking_terms(counts, "int8")
    return account.row(SPIKING, [PricedEvents(name, count, key, constants[key]) for name, count, key in terms])


class _Account:
    """Adds up accesses and the additions and multiply-accumulates of addresses."""

    def __init__(self) -> None:
        self.accesses: list[_Accesses] = []
        self.addresses: list[PricedEvents] = []

    def add(self, what: What, count: np.ndarray, bits: int, data: int) -> None:
        """`count` [samples or 1] accesses."""
        self.accesses.append(_Accesses(what, count, bits, data))

    def address(self, additions: np.ndarray, macs: np.ndarray) -> None:
        """Operations [samples or 1] that find where data lie."""
        constants = load_constants(CONSTANTS)
        for key, count in (("int32_accumulate", additions), ("int32_mac", macs)):
            self.addresses.append(PricedEvents("addresses", count, key, constants[key]))

    def dense(self, layer: DenseLayer, bits: int) -> None:
        """A layer in one dense pass."""
        read = layer.macs if layer.kernel_steps else layer.inputs
        self.add("inputs and outputs", np.array([read]), bits, layer.inputs)
        self.add("inputs and outputs", np.array([layer.outputs]), bits, layer.outputs)
        self.add("weights", np.array([layer.macs]), bits, layer.weights)
        if layer.biases:
            self.add("biases", np.array([layer.outputs]), bits, layer.biases)
        additions = layer.inputs + layer.outputs + layer.kernel_steps if layer.kernel_steps else layer.macs
        self.address(np.array([additions]), np.array([0]))

    def row(self, network: str, arithmetic: list[PricedEvents]) -> AccountRow:
        """The network's row; a sample's counts are of all its memories."""
        priced: dict[What, list[PricedEvents]] = {}
        for one in self.accesses:
            price = _access(one.bits, one.data)
            priced.setdefault(one.what, []).append(PricedEvents(one.what, one.count, "sram_access", price))
        priced |= {"addresses": self.addresses, "arithmetic": arithmetic}
        terms = [
            AccountTerm(
                name=what,
                count=OverSamples.of(sum((e.count for e in events), np.zeros(1, dtype=np.int64))),
                joules=add_terms(events),
            )
            for what, events in priced.items()
        ]
        return AccountRow(network=network, terms=terms, total=add_terms(e for es in priced.values() for e in es))


def _access(bits: int, data: int) -> Constant:
    """Price of one datum: by itself, from a memory that holds `data` of them; low: its share of 64 bits."""
    constants = load_constants(CONSTANTS)
    alone = constants["sram_access"]
    value = alone.value + constants["sram_access_per_bit"].value * data * bits
    low = constants["sram_access_64_bits"].value / (BUS_BITS // bits)
    return alone.model_copy(update={"value": value, "low": low, "high": value})


def _dense_layer(network: ChipNetwork, layer: Projection | HostProjection, biases: int, writes: bool) -> DenseLayer:
    shape, weight = network.source_shape(layer.source), layer.weight
    return DenseLayer(
        inputs=int(np.prod(shape)),
        outputs=network.populations[layer.target].size if writes else 0,
        weights=weight.size,
        biases=biases,
        kernel_steps=0 if layer.geometry is None else int(weight.shape[0] * np.prod(weight.shape[2:])),
        macs=dense_macs(weight, layer.geometry, shape),
    )


def _own_biases(network: ChipNetwork, layer: Projection) -> int:
    bias = network.populations[layer.target].bias
    return bias.size if bias.any() else 0


def _both(total: Joules) -> str:
    return f"{readable(total.mean, 'J')} ({readable(total.low, 'J')})"
