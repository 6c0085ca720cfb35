"""The report's `counts`: exact counts over samples, a layer and in all."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..counts import ActivityCounts
from ..figures import Amount, Count, OverSamples, Part


class LayerCounts(Part):
    """Exact counts of a layer; synaptic operations stand at the layer that they end in."""

    name: str
    neurons: Count
    spikes_a_neuron_and_step: Amount
    spikes: OverSamples
    synaptic_operations: OverSamples
    updates_active: OverSamples
    updates_inactive: OverSamples


class ProjectionCounts(Part):
    """Exact counts of the synapses between two layers."""

    name: str
    source: str
    target: str
    operation: Literal["accumulate", "multiply-accumulate"]
    messages: OverSamples
    synaptic_operations: OverSamples


class HostLayer(Part):
    """A layer that the host computes once a sample."""

    name: str
    macs: Count
    counted: str


class TotalCounts(Part):
    """Counts of the whole network."""

    spikes: OverSamples
    messages: OverSamples
    synaptic_operations: OverSamples
    updates_active: OverSamples
    updates_inactive: OverSamples
    host_macs: Count


class Counts(Part):
    """All counts."""

    layers: list[LayerCounts]
    projections: list[ProjectionCounts]
    host_layers: list[HostLayer]
    total: TotalCounts


def count_figures(counts: ActivityCounts) -> Counts:
    """Counts a layer and in all, over samples. Synaptic operations stand at the layer that they end in."""
    layers = []
    for name, population in counts.populations.items():
        incoming = [p.synaptic_operations for p in counts.projections.values() if p.target == name]
        layers.append(
            LayerCounts(
                name=name,
                neurons=population.neurons,
                spikes_a_neuron_and_step=float(np.mean(population.spikes)) / (population.neurons * counts.steps),
                spikes=OverSamples.of(population.spikes),
                synaptic_operations=OverSamples.of(sum(incoming, np.zeros(counts.samples, dtype=np.int64))),
                updates_active=OverSamples.of(population.updates_active),
                updates_inactive=OverSamples.of(population.updates_inactive),
            )
        )
    return Counts(
        layers=layers,
        projections=[
            ProjectionCounts(
                name=name,
                source=p.source,
                target=p.target,
                operation="multiply-accumulate" if p.graded else "accumulate",
                messages=OverSamples.of(p.messages),
                synaptic_operations=OverSamples.of(p.synaptic_operations),
            )
            for name, p in counts.projections.items()
        ],
        host_layers=[
            HostLayer(name=name, macs=macs, counted="once a sample; zero weights included, padding not")
            for name, macs in counts.host_macs.items()
        ],
        total=TotalCounts(
            spikes=OverSamples.of(counts.spikes()),
            messages=OverSamples.of(counts.messages_sent()),
            synaptic_operations=OverSamples.of(counts.synaptic_operations()),
            updates_active=OverSamples.of(counts.updates_active()),
            updates_inactive=OverSamples.of(counts.updates_inactive()),
            host_macs=sum(counts.host_macs.values()),
        ),
    )
