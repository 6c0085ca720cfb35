"""Which inputs raise a neuron: signs of the summed weights on all ways to it, loops left out."""

from __future__ import annotations

import numpy as np
import torch

from ..chip_network.apply_weight import apply_weight
from ..chip_network.form import ChipNetwork


def influence(network: ChipNetwork, layer: str, neurons: np.ndarray) -> dict[str, np.ndarray]:
    """How strongly each value of each input raises (above 0) or lowers each neuron, if all layers were linear.

    Args:
        neurons: [K] indices into the flattened layer.

    Returns:
        Input -> float [K, *shape].
    """
    count = len(neurons)
    values = {
        name: torch.zeros((count, *item.shape), dtype=torch.float64, requires_grad=True)
        for name, item in network.inputs.items()
    }
    reached = dict(values)
    depths = network.depths()
    hosts = network.host_projections.values()
    for name in sorted(network.populations, key=lambda each: (depths[each], each)):
        shape = network.populations[name].shape
        parts = [
            apply_weight(reached[p.source], _scaled(p.weight, 2.0**p.weight_exp), p.geometry)
            for p in network.incoming(name)
            if p.source in reached
        ]
        parts += [
            apply_weight(reached[h.source], _scaled(h.weight, 1.0), h.geometry) for h in hosts if h.target == name
        ]
        if parts:
            reached[name] = sum(part.reshape(count, *shape) for part in parts)  # type: ignore[assignment]
        if name == layer:
            break
    if layer not in reached:
        return {name: np.zeros(array.shape) for name, array in values.items()}
    picked = reached[layer].reshape(count, -1)[torch.arange(count), torch.as_tensor(neurons)]
    if not picked.requires_grad:
        return {name: np.zeros(array.shape) for name, array in values.items()}
    picked.sum().backward()
    return {name: np.zeros(array.shape) if array.grad is None else array.grad.numpy() for name, array in values.items()}


def _scaled(weight: np.ndarray, factor: float) -> torch.Tensor:
    """Of like size in every layer, so that products over many layers stay numbers."""
    largest = float(np.abs(weight).max(initial=0)) or 1.0
    return torch.as_tensor(weight.astype(np.float64) * (factor / (largest * factor)))
