"""Energy a layer and a term, from the report's counts of layers and the prices that its terms were summed with."""

from __future__ import annotations

from dataclasses import dataclass

from dalif_deploy.hw_models.energy.report.mapping import Fits
from dalif_deploy.hw_models.energy.report.report import EnergyReport

BETWEEN = "between layers"


@dataclass
class LayerEnergy:
    """A layer's energies, [terms], in joules."""

    name: str
    joules: list[float]


@dataclass
class EnergyByLayer:
    """The terms that are not zero, by name, and a row a layer.

    What belongs to no layer (hops) is a last row of its own, so that each column sums to its term.
    """

    terms: list[str]
    rows: list[LayerEnergy]


def energy_by_layer(report: EnergyReport) -> EnergyByLayer:
    """Divides the terms of `report.energy` among the layers: synaptic operations and messages where they arrive."""
    terms = [term for term in report.energy.terms if term.joules.mean]
    rows = [LayerEnergy(layer.name, []) for layer in report.counts.layers]
    between: list[float] = []
    for term in terms:
        counts = _events(report, term.name)
        if counts is None:
            between.append(term.joules.mean)
            counts = [0.0] * len(rows)
        else:
            between.append(0.0)
        price = term.joules.mean / term.count.mean
        for row, count in zip(rows, counts, strict=True):
            row.joules.append(count * price)
    if any(between):
        rows.append(LayerEnergy(BETWEEN, between))
    return EnergyByLayer([term.name for term in terms], rows)


def _events(report: EnergyReport, term: str) -> list[float] | None:
    """Events of a term a layer, or None where they have no layer."""
    layers = report.counts.layers
    if term == "synaptic operations":
        return [layer.synaptic_operations.mean for layer in layers]
    if term == "neuron updates, active":
        return [layer.updates_active.mean for layer in layers]
    if term == "neuron updates, inactive":
        return [layer.updates_inactive.mean for layer in layers]
    if term == "messages, at each core reached" and isinstance(report.mapping, Fits):
        arrived = dict.fromkeys((layer.name for layer in layers), 0.0)
        for core in report.mapping.core_list:
            arrived[core.population] += core.messages_in
        return list(arrived.values())
    return None
