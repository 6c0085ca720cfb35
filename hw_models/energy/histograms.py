"""Distributions for the report's pictures: membranes below their thresholds, thresholds, energy of the samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..chip_network.form import SYNAPSE_SHIFT, ChipNetwork
from ..chips.description import load_chip
from ..samples.recording import EncodedSamples
from .constant_set import load_constants
from .counts import ActivityCounts
from .models import joules_by_sample, loihi_terms

SAMPLES, BINS = 16, 48
THRESHOLD_BINS, ENERGY_BINS = 24, 24
LOWEST = -2.0  # thresholds; what lies below counts in the first bin


def membrane_histograms(network: ChipNetwork, encoded: EncodedSamples) -> dict[str, Any]:
    """Counts of membranes after each step, in thresholds of their neurons, over the first `SAMPLES` samples.

    Returns:
        samples, and a layer that fires: name, edges [bins + 1], counts [bins] (the first bin has all that is lower),
        and thresholds: lowest, highest, distinct values, edges and counts of neurons.
    """
    from ..simulator import simulate

    part = encoded.part(slice(SAMPLES))
    membranes = simulate(network, part, record=("membrane",)).membrane
    edges = np.linspace(LOWEST, 1.0, BINS + 1)
    layers = []
    for name, population in network.populations.items():
        if not population.fires:
            continue
        threshold = np.broadcast_to(population.vth, population.shape).astype(np.int64) << SYNAPSE_SHIFT
        relative = np.clip(membranes[name] / np.maximum(threshold, 1), LOWEST, 1.0)
        counts, _ = np.histogram(relative, edges)
        layers.append(
            {
                "name": name,
                "edges": edges.tolist(),
                "counts": counts.tolist(),
                "thresholds": {
                    "lowest": int(threshold.min()),
                    "highest": int(threshold.max()),
                    "distinct": len(np.unique(threshold)),
                    **_histogram(threshold.ravel(), THRESHOLD_BINS),
                },
            }
        )
    return {"samples": part.samples, "layers": layers}


def sample_energy(counts: ActivityCounts, chip: str) -> dict[str, Any]:
    """Dynamic energy of each sample by the terms of `loihi_energy`, joules: best, mean, worst, and the distribution."""
    joules = joules_by_sample(loihi_terms(counts, load_constants(load_chip(chip).energy.constants)))
    return {
        "best": float(joules.min()),
        "best_sample": int(joules.argmin()),
        "mean": float(joules.mean()),
        "worst": float(joules.max()),
        "worst_sample": int(joules.argmax()),
        **_histogram(joules, ENERGY_BINS),
    }


def _histogram(values: np.ndarray, bins: int) -> dict[str, list[float]]:
    """Edges from the smallest to the largest value; one bin without width where all are equal."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        return {"edges": [low, high], "counts": [values.size]}
    counts, edges = np.histogram(values, bins, (low, high))
    return {"edges": edges.tolist(), "counts": counts.tolist()}
