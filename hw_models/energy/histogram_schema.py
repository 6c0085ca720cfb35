"""The shape of the report's `histograms`, see `dalif_deploy.hw_models.energy.histograms`."""

from __future__ import annotations

from .schema_base import Amount, Count, Part


class Histogram(Part):
    """`counts` between neighbours of `edges`, which are one more."""

    edges: list[float]
    counts: list[Count]


class Thresholds(Histogram):
    """Thresholds of a layer's neurons in the membrane's integer unit."""

    lowest: Count
    highest: Count
    distinct: Count


class LayerHistogram(Histogram):
    """Membranes of a layer, in thresholds of their neurons."""

    name: str
    thresholds: Thresholds


class SampleEnergy(Histogram):
    """Dynamic energy of the samples, by the model of `energy`; numbers count samples from 0."""

    best: Amount
    best_sample: Count
    mean: Amount
    worst: Amount
    worst_sample: Count


class Histograms(Part):
    """Membranes of all layers that fire; energy of the samples."""

    samples: Count
    layers: list[LayerHistogram]
    energy: SampleEnergy
