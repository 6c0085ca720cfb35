"""How the membranes of each layer lie below their thresholds, for the report's pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw_models.chip_network import SYNAPSE_SHIFT, ChipNetwork
from hw_models.recording import EncodedInput

SAMPLES, BINS = 16, 48
LOWEST = -2.0  # thresholds; what lies below counts in the first bin


def membrane_histograms(network: ChipNetwork, encoded: EncodedInput) -> dict[str, Any]:
    """Counts of membranes after each step, in thresholds of their neurons, over the first `SAMPLES` samples.

    Returns:
        samples, and a layer that fires: name, edges [bins + 1], counts [bins]; the first bin has all that is lower.
    """
    from hw_models.simulator import simulate

    part = encoded.part(slice(SAMPLES))
    membranes = simulate(network, part, record=("membrane",)).membrane
    edges = np.linspace(LOWEST, 1.0, BINS + 1)
    layers = []
    for name, population in network.populations.items():
        if not population.fires:
            continue
        threshold = np.maximum(np.broadcast_to(population.vth, population.shape), 1) << SYNAPSE_SHIFT
        relative = np.clip(membranes[name] / threshold, LOWEST, 1.0)
        counts, _ = np.histogram(relative, edges)
        layers.append({"name": name, "edges": edges.tolist(), "counts": counts.tolist()})
    return {"samples": part.samples, "layers": layers}
