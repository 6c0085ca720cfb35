"""The firing rate at which the spiking network stops winning, in the convention of arithmetic.py.

Its energy is affine in the spikes of its own neurons: E(f) = fixed + f * own, where f multiplies every neuron's spikes,
own are the accumulates that those spikes cause, and fixed is what the input causes (its spikes, graded messages, the
host's layers). An opponent's dense pass costs the same at any rate, so f = (opponent - fixed) / own. Where the host
computes layers, in float, they cancel against a float opponent's; against an 8-bit one, a second row leaves them out on
both sides.

At the measured rates, energy grows with the steps: the network's own spikes and what enters at each step do, the host's
layers do not. So an opponent costs the same at T = steps * (opponent - host) / (spiking - host). The rates are taken as
they are: a network for other steps would have its own.

Where a constant has a range, both sides sum in the same width: the low ends of the 8-bit constants belong together
(8-bit adder), and so do their values (32-bit adder). An end of one is never set against the other end of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...chip_network.form import ChipNetwork
from ..constant_set import load_constants
from ..counts import ActivityCounts
from ..figures import Amount, Part, Status
from .arithmetic import (
    PRECISIONS,
    WEIGHT_BITS,
    DensePass,
    Precision,
    activation_bits,
    activation_constant,
    dense_pass,
    spiking_terms,
)

ENDS = ("value", "low")  # a 32-bit and an 8-bit adder, see constants/cmos45_horowitz2014.toml; float has one price
NOT_INCLUDED = [
    "memory, control, routing, leakage, neuron updates: with them the rate is another",
    "a GPU: its energy and a chip's are of different conventions, and neuron updates do not scale with the rate",
]


class Ends(Part):
    """The ends of a range."""

    low: Amount
    high: Amount


class BreakEvenRow(Part):
    """How far all firing rates may grow until an opponent costs the same, the mean rate then, and the steps.

    Attributes:
        steps: at the measured rates; the report's own steps are to be compared with it.
    """

    opponent: str
    precision: Precision
    host_included: bool
    factor: Ends
    rate: Ends
    steps: Ends
    verdict: str


class BreakEven(Part):
    """The rates at which the spiking network stops winning, beside the measured one."""

    status: Status
    spikes_a_neuron_and_step: Amount
    rows: list[BreakEvenRow]
    none_because: str | None
    not_included: list[str]


def break_even(network: ChipNetwork, counts: ActivityCounts) -> BreakEven:
    """A row an opponent: by how much all firing rates may grow, and the mean rate then; both a range."""
    firing = [name for name, population in network.populations.items() if population.fires]
    spikes = sum(float(np.mean(counts.populations[name].spikes)) for name in firing)
    neurons = sum(counts.populations[name].neurons for name in firing)
    rate = spikes / (neurons * counts.steps) if neurons else 0.0
    own = sum(
        float(np.mean(p.synaptic_operations)) for p in counts.projections.values() if p.source in network.populations
    )
    dense, reason = dense_pass(network), None
    if dense is None:
        reason = "a network with loops or delays has no feed-forward equal"
    elif not own:
        reason = "no spike of the network's own neurons reached a synapse"
    rows: list[BreakEvenRow] = []
    if dense is not None and reason is None:
        rows = _rows(dense, counts, own, rate)
        if dense.of_host:
            apart = _rows(replace(dense, of_host=0), replace(counts, host_macs={}), own, rate, host_included=False)
            rows += [row for row in apart if row.precision != "fp32"]
    return BreakEven(
        status="modelled, arithmetic only",
        spikes_a_neuron_and_step=rate,
        rows=rows,
        none_because=reason,
        not_included=NOT_INCLUDED,
    )


def _rows(
    dense: DensePass, counts: ActivityCounts, own: float, rate: float, *, host_included: bool = True
) -> list[BreakEvenRow]:
    rows = []
    for opponent, precision, pairs in _opponents(dense, counts.steps):
        factors = [_factor(counts, precision, end, own, joules) for end, joules in pairs]
        low, high = max(0.0, min(factors)), max(0.0, max(factors))
        rows.append(
            BreakEvenRow(
                opponent=opponent,
                precision=precision,
                host_included=host_included,
                factor=Ends(low=low, high=high),
                rate=Ends(low=low * rate, high=high * rate),
                steps=_steps(counts, precision, pairs),
                verdict=_verdict(low, high, rate, bool(counts.host_macs)),
            )
        )
    return rows


def _opponents(dense: DensePass, steps: int) -> Iterator[tuple[str, Precision, list[tuple[str, float]]]]:
    """(opponent, precision, [(end of the constants, joules of its dense pass at that end)])."""
    for precision in PRECISIONS:
        yield "ReLU network", precision, [(end, dense.macs * _price(f"{precision}_mac", end)) for end in ENDS]
    key, bits = activation_constant(steps), activation_bits(steps)
    if key is None:
        return
    # without a constant for so many bits: its addition alone, and an 8-bit MAC
    keys = ("int8_accumulate", "int8_mac") if key == "int8_mac_fewer_bits" else (key,)
    yield (
        f"quantised ReLU network, {WEIGHT_BITS} by {bits} bits",
        "int8",
        [
            (
                end,
                (dense.of_host + dense.of_levels) * _price("int8_mac", end) + dense.of_activations * _price(each, end),
            )
            for end in ENDS
            for each in keys
        ],
    )


def _factor(counts: ActivityCounts, precision: str, end: str, own: float, opponent: float) -> float:
    accumulate = _price(f"{precision}_accumulate", end)
    all_of_it = sum(float(np.mean(count)) * _price(key, end) for _, count, key in spiking_terms(counts, precision))
    fixed = all_of_it - own * accumulate
    return (opponent - fixed) / (own * accumulate)


def _steps(counts: ActivityCounts, precision: str, pairs: list[tuple[str, float]]) -> Ends:
    found = []
    for end, opponent in pairs:
        spiking = sum(float(np.mean(count)) * _price(key, end) for _, count, key in spiking_terms(counts, precision))
        host = sum(counts.host_macs.values()) * _price("fp32_mac", end)  # in float whatever the precision, and once
        found.append(max(0.0, counts.steps * (opponent - host) / (spiking - host)))
    return Ends(low=min(found), high=max(found))


def _price(key: str, end: str) -> float:
    joules: float = getattr(load_constants("cmos45_horowitz2014")[key].interval("joule"), end)
    return joules


def _verdict(low: float, high: float, rate: float, host: bool) -> str:
    if high == 0:
        return f"never wins: {'the host, in float,' if host else 'its input'} alone costs more"
    if low * rate > 1:
        return "wins at any rate: no neuron fires more than once a step"
    if low > 1:
        return "wins at the measured rate"
    return "loses at the measured rate" if high <= 1 else "open at the measured rate: the sources' range decides"
