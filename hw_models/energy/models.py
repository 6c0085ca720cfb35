"""Counts times constants: what the counted events cost on a chip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..chips.description import load_chip
from ..errors import UserError
from .constant_set import Constant, ConstantSet, load_constants
from .counts import ActivityCounts
from .figures import Amount, Count, Joules, OverSamples, Part, Status, Term, spread


class EnergyByModel(Part):
    """Dynamic energy on the chip by one set of constants: its terms and their sum."""

    model: str
    title: str
    status: Status
    terms: list[Term]
    total: Joules


class Energy(EnergyByModel):
    """Dynamic energy on the chip by one set of constants."""

    not_included: list[str]


class Span(Part):
    """A value and its range."""

    value: Amount
    low: Amount
    high: Amount | None


class Static(Part):
    """Leakage of whole chips over a sample: `joules` of all of them, `watts` of one."""

    status: Status
    chips: Count
    joules: Amount
    low: Amount
    high: Amount | None
    step_seconds: Span
    watts: Amount


class ChipEnergy(EnergyByModel):
    """Dynamic energy, and static energy apart."""

    static: Static
    not_included: list[str]


@dataclass
class PricedEvents:
    """So many events at so much each.

    Attributes:
        count: events of each sample, [samples].
    """

    name: str
    count: np.ndarray
    constant_name: str
    constant: Constant

    def figures(self) -> Term:
        """Count and energy over samples, for the report."""
        return Term(
            name=self.name,
            constant=self.constant_name,
            evidence=self.constant.evidence,
            count=OverSamples.of(self.count),
            joules=_joules([self]),
        )


def add_terms(terms: Iterable[PricedEvents]) -> Joules:
    """Energy of a sample, all terms together.

    Returns:
        joules over samples; `low` and `high` of the mean by the constants' spread (high None: no upper bound is known).

    Raises:
        UserError: one constant already contains everything the device does, so nothing can be added to it.
    """
    terms = list(terms)
    _refuse_all_in(terms)
    return _joules(terms)


def joules_by_sample(terms: Iterable[PricedEvents]) -> np.ndarray:
    """Energy of each sample, all terms together: float64 [samples], in joules.

    Raises:
        UserError: as `add_terms`.
    """
    terms = list(terms)
    _refuse_all_in(terms)
    return _sums(terms, [t.constant.interval("joule").value for t in terms])


def _refuse_all_in(terms: list[PricedEvents]) -> None:
    for term in terms:
        if term.constant.scope == "all-in" and len(terms) > 1:
            others = ", ".join(t.constant_name for t in terms if t is not term)
            raise UserError(
                f"an all-in constant can't be added to others ({others}): it already contains them",
                where=term.constant_name,
                remedy="use it alone, or take a per-term constant",
            )


def _sums(terms: list[PricedEvents], prices: list[float]) -> np.ndarray:
    return sum((t.count * price for t, price in zip(terms, prices, strict=True)), np.zeros(1))


def _joules(terms: list[PricedEvents]) -> Joules:
    prices = [t.constant.interval("joule") for t in terms]
    total = _sums(terms, [p.value for p in prices])
    means = [float(np.mean(t.count)) for t in terms]
    bounded = all(p.high is not None for p, mean in zip(prices, means, strict=True) if mean)
    highs = [m * p.high for m, p in zip(means, prices, strict=True) if m and p.high is not None]
    return Joules(
        **spread(total),
        low=sum(m * p.low for m, p in zip(means, prices, strict=True)),
        high=sum(highs) if bounded else None,
    )


def loihi_terms(counts: ActivityCounts, constants: ConstantSet) -> list[PricedEvents]:
    """What happens on the chip while a sample runs, event by event; static energy is not among it."""
    prices = [
        ("synaptic operations", counts.synaptic_operations(), "synaptic_operation"),
        ("neuron updates, active", counts.updates_active(), "neuron_update_active"),
        ("neuron updates, inactive", counts.updates_inactive(), "neuron_update_inactive"),
    ]
    if counts.traffic is None:
        prices.append(("messages, within one tile", counts.messages_sent(), "spike_within_tile"))
    else:
        traffic = counts.traffic.counts
        prices += [
            ("messages, at each core reached", traffic["messages"], "spike_within_tile"),
            ("hops east-west", traffic["hops_east_west"], "hop_east_west"),
            ("hops north-south", traffic["hops_north_south"], "hop_north_south"),
        ]
    return [PricedEvents(name, count, key, constants[key]) for name, count, key in prices]


def loihi_energy(counts: ActivityCounts, chip: str) -> ChipEnergy:
    """Energy of a sample by the constants that the chip's description names, dynamic energy and static apart.

    Where these are another chip's they are an assumption, and the figures carry that word.
    """
    prices = load_chip(chip).energy
    constants = load_constants(prices.constants)
    terms = loihi_terms(counts, constants)
    own, device = not prices.assumed, constants.device or constants.title
    traffic = counts.traffic
    return ChipEnergy(
        model=constants.name,
        title=constants.title if own else f"{chip}: assumed to cost what {device} does ({constants.title})",
        status="modelled from simulated constants" if own else "assumed",
        terms=[t.figures() for t in terms],
        total=add_terms(terms),
        static=static_energy(counts.steps, constants, 1 if traffic is None else traffic.mapping.chips),
        not_included=[
            "static energy (shown apart: it needs a latency model)",
            *(
                ["further cores and hops between tiles (they need a mapping): messages are a lower bound"]
                if traffic is None
                else ["hops of the input's messages, and of messages to another chip: no source"]
            ),
            "barrier, input and output, weight loading, embedded x86 cores: not published per event",
            *([f"reading {reads:,} membranes a sample: no source"] if (reads := counts.membrane_reads) else []),
            *(["MACs of the host-computed layers"] if counts.host_macs else []),
            *(
                []
                if own
                else [f"whatever {chip} does differently from {device}: no table of energy per event is published"]
            ),
        ],
    )


def static_energy(steps: int, constants: ConstantSet, chips: int = 1) -> Static:
    """Leakage of whole chips over the steps of a sample; the length of a step is assumed, not modelled."""
    power = constants["static_power_chip"].interval("watt")
    step = constants["time_step"].interval("second")
    return Static(
        status="assumed",
        chips=chips,
        joules=power.value * step.value * steps * chips,
        low=power.low * step.low * steps * chips,
        high=None if power.high is None or step.high is None else power.high * step.high * steps * chips,
        step_seconds=Span(value=step.value, low=step.low, high=step.high),
        watts=power.value,
    )
