"""The shape of the report's `counts`, see `dalif_deploy.hw_models.energy.report.count_figures`."""

from __future__ import annotations

from typing import Literal

from .schema_base import Amount, Count, OverSamples, Part


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
