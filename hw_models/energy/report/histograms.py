"""Distributions for the report's pictures: membranes below their thresholds, thresholds, energy of the samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...chip_network.form import SYNAPSE_SHIFT, ChipNetwork
from ...chips.description import load_chip
from ...samples.recording import EncodedInput, EncodedSamples
from ..constant_set import load_constants
from ..counts import ActivityCounts
from ..figures import Amount, Count, Named, Part
from ..models import joules_by_sample, loihi_terms

SAMPLES, BINS = 16, 48
THRESHOLD_BINS, ENERGY_BINS = 24, 24
LOWEST = -2.0  # thresholds; what lies below counts in the first bin


class Histogram(Part):
    """`counts` between neighbours of `edges`, which are one more."""

    edges: list[float]
    counts: list[Count]


class ThresholdSpread(Part):
    """Thresholds in the membrane's integer unit."""

    lowest: Count
    highest: Count
    distinct: Count


class Thresholds(Histogram, ThresholdSpread):
    """Thresholds of a layer's neurons, in the membrane's integer unit."""


class LayerHistogram(Histogram, Named):
    """Membranes of a layer after each step, in thresholds of their neurons; the first bin has all that is lower."""

    thresholds: Thresholds


class SampleSpread(Part):
    """Energies of samples, which are numbered from 0."""

    best: Amount
    best_sample: Count
    mean: Amount
    worst: Amount
    worst_sample: Count


class SampleEnergy(Histogram, SampleSpread):
    """Dynamic energy of the samples, by the model of `energy`."""


class Histograms(Part):
    """Membranes of all layers that fire, over so many samples; energy of all samples."""

    samples: Count
    layers: list[LayerHistogram]
    energy: SampleEnergy


def histograms(network: ChipNetwork, encoded: EncodedSamples, counts: ActivityCounts) -> Histograms:
    """The report's part: membranes over the first `SAMPLES` samples, energy over all that were counted."""
    part = encoded.part(slice(SAMPLES))
    layers, energy = membrane_histograms(network, part), sample_energy(counts, network.chip)
    return Histograms(samples=part.samples, layers=layers, energy=energy)


def membrane_histograms(network: ChipNetwork, encoded: EncodedInput) -> list[LayerHistogram]:
    """Counts of membranes after each step, of every layer that fires."""
    from ...simulator import simulate

    membranes = simulate(network, encoded, record=("membrane",)).membrane
    edges = np.linspace(LOWEST, 1.0, BINS + 1)
    layers = []
    for name, population in network.populations.items():
        if not population.fires:
            continue
        threshold = np.broadcast_to(population.vth, population.shape).astype(np.int64) << SYNAPSE_SHIFT
        relative = np.clip(membranes[name] / np.maximum(threshold, 1), LOWEST, 1.0)
        counts, _ = np.histogram(relative, edges)
        layers.append(
            LayerHistogram(
                name=name,
                edges=edges.tolist(),
                counts=counts.tolist(),
                thresholds=Thresholds(
                    lowest=int(threshold.min()),
                    highest=int(threshold.max()),
                    distinct=len(np.unique(threshold)),
                    **_histogram(threshold.ravel(), THRESHOLD_BINS),
                ),
            )
        )
    return layers


def sample_energy(counts: ActivityCounts, chip: str) -> SampleEnergy:
    """Dynamic energy of each sample by the terms of `loihi_energy`, joules: best, mean, worst, and the distribution."""
    joules = joules_by_sample(loihi_terms(counts, load_constants(load_chip(chip).energy.constants)))
    return SampleEnergy(
        best=float(joules.min()),
        best_sample=int(joules.argmin()),
        mean=float(joules.mean()),
        worst=float(joules.max()),
        worst_sample=int(joules.argmax()),
        **_histogram(joules, ENERGY_BINS),
    )


def _histogram(values: np.ndarray, bins: int) -> dict[str, Any]:
    """Edges from the smallest to the largest value; one bin without width where all are equal."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return {"edges": [low, high], "counts": [values.size]}
    counts, edges = np.histogram(values, bins, (low, high))
    return {"edges": edges.tolist(), "counts": counts.tolist()}
