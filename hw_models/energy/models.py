"""Counts times constants: what the counted events cost on a chip, and as bare arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from hw_models.chip_network import ChipNetwork, HostProjection, Projection
from hw_models.energy.constant_set import Constant, ConstantSet, load_constants
from hw_models.energy.counts import ActivityCounts
from hw_models.energy.fan_out import dense_macs
from hw_models.energy.statistics import over_samples
from hw_models.errors import UserError


@dataclass
class Term:
    """So many events at so much each.

    Attributes:
        count: events of each sample, [samples].
    """

    name: str
    count: np.ndarray
    constant_name: str
    constant: Constant

    def figures(self) -> dict[str, Any]:
        """Count and energy over samples, for the report."""
        return {
            "name": self.name,
            "constant": self.constant_name,
            "evidence": self.constant.evidence,
            "count": over_samples(self.count),
            "joules": _joules([self]),
        }


def add_terms(terms: Iterable[Term]) -> dict[str, Any]:
    """Energy of a sample, all terms together.

    Returns:
        {"mean", "std", "best", "worst"} over samples in joules; {"low", "high"} of the mean by the constants' spread
        (high None: no upper bound is known).

    Raises:
        UserError: one constant already contains everything the device does, so nothing can be added to it.
    """
    terms = list(terms)
    for term in terms:
        if term.constant.scope == "all-in" and len(terms) > 1:
            others = ", ".join(t.constant_name for t in terms if t is not term)
            raise UserError(
                f"an all-in constant can't be added to others ({others}): it already contains them",
                where=term.constant_name,
                remedy="use it alone, or take a per-term constant",
            )
    return _joules(terms)


def _joules(terms: list[Term]) -> dict[str, Any]:
    prices = [t.constant.interval("joule") for t in terms]
    total = sum((t.count * p.value for t, p in zip(terms, prices, strict=True)), np.zeros(1))
    means = [float(np.mean(t.count)) for t in terms]
    bounded = all(p.high is not None for p, mean in zip(prices, means, strict=True) if mean)
    highs = [m * p.high for m, p in zip(means, prices, strict=True) if m and p.high is not None]
    return {
        **over_samples(total),
        "low": sum(m * p.low for m, p in zip(means, prices, strict=True)),
        "high": sum(highs) if bounded else None,
    }


def loihi_terms(counts: ActivityCounts, constants: ConstantSet) -> list[Term]:
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
    return [Term(name, count, key, constants[key]) for name, count, key in prices]


def loihi_energy(counts: ActivityCounts, chip: str) -> dict[str, Any]:
    """Energy of a sample on Loihi by the constants of Davies et al. 2018, dynamic energy and static apart.

    For any chip but Loihi 1 the same constants are an assumption, and the figures carry that word.
    """
    constants = load_constants("loihi1_davies2018")
    terms = loihi_terms(counts, constants)
    own = chip == "loihi1"
    traffic = counts.traffic
    return {
        "model": constants.name,
        "title": constants.title if own else f"{chip}: assumed to cost what Loihi 1 does ({constants.title})",
        "status": "modelled from simulated constants" if own else "assumed",
        "terms": [t.figures() for t in terms],
        "total": add_terms(terms),
        "static": static_energy(counts.steps, constants, 1 if traffic is None else traffic.mapping.chips),
        "not_included": [
            "static energy (shown apart: it needs a latency model)",
            *(
                ["further cores and hops between tiles (they need a mapping): messages are a lower bound"]
                if traffic is None
                else ["hops of the input's messages, and of messages to another chip: no source"]
            ),
            "barrier, input and output, weight loading, embedded x86 cores: not published an event",
            *(["MACs of the host-computed layers"] if counts.host_macs else []),
            *([] if own else [f"whatever {chip} does differently from Loihi 1: no table an event is published"]),
        ],
    }


def static_energy(steps: int, constants: ConstantSet, chips: int = 1) -> dict[str, Any]:
    """Leakage of whole chips over the steps of a sample; the length of a step is assumed, not modelled.

    "watts" is one chip's, joules are those of all chips.
    """
    power = constants["static_power_chip"].interval("watt")
    step = constants["time_step"].interval("second")
    return {
        "status": "assumed",
        "chips": chips,
        "joules": power.value * step.value * steps * chips,
        "low": power.low * step.low * steps * chips,
        "high": None if power.high is None or step.high is None else power.high * step.high * steps * chips,
        "step_seconds": {"value": step.value, "low": step.low, "high": step.high},
        "watts": power.value,
    }


def arithmetic_45nm(network: ChipNetwork, counts: ActivityCounts) -> dict[str, Any]:
    """The paper's convention: accumulates and multiply-accumulates of a sample, priced as bare 45 nm arithmetic.

    A synaptic operation of a binary spike is an accumulate; of a graded message, and of a host-computed layer, a
    multiply-accumulate. Beside it, the same architecture as a ReLU network: one dense pass. Both in float and in
    8-bit arithmetic, because a float network against a quantised one would decide the comparison by itself.
    """
    constants = load_constants("cmos45_horowitz2014")
    host = np.full(counts.samples, sum(counts.host_macs.values()), dtype=np.int64)
    binary, graded = counts.synaptic_operations(graded=False), counts.synaptic_operations(graded=True)

    def priced(who: str, precision: str, terms: list[tuple[str, np.ndarray, str]]) -> dict[str, Any]:
        built = [Term(name, count, key, constants[key]) for name, count, key in terms if count.any()]
        return {
            "network": who,
            "precision": precision,
            "terms": [t.figures() for t in built],
            "total": add_terms(built),
        }

    rows = []
    relu = relu_macs(network)
    for precision in ("fp32", "int8"):
        ac, mac = f"{precision}_accumulate", f"{precision}_mac"
        rows.append(
            priced(
                "spiking",
                precision,
                [
                    ("accumulates (binary spikes)", binary, ac),
                    ("MACs (graded messages)", graded, mac),
                    ("MACs on the host, in float", host, "fp32_mac"),
                ],
            )
        )
        if relu is not None:
            rows.append(priced("ReLU network", precision, [("MACs, dense", np.array([relu]), mac)]))
    return {
        "model": constants.name,
        "title": constants.title,
        "status": "modelled, arithmetic only",
        "rows": rows,
        "not_included": [
            "memory, control, routing, leakage",
            f"neuron updates ({float(np.mean(counts.updates_active())):,.0f} active a sample): the convention "
            "counts synapses only",
        ],
    }


def relu_macs(network: ChipNetwork) -> int | None:
    """MACs of one pass of the same architecture without spikes (zero weights included, padding not).

    None for a network with loops or delays, which has no feed-forward equal.
    """
    graph = nx.DiGraph((p.source, p.target) for p in network.projections.values())
    if not nx.is_directed_acyclic_graph(graph) or any(p.delay for p in network.projections.values()):
        return None
    layers: list[Projection | HostProjection] = [*network.projections.values(), *network.host_projections.values()]
    return sum(dense_macs(p.weight, p.geometry, network.source_shape(p.source)) for p in layers)
