"""Sums of weights over messages, exact, for a block of steps at a time."""

from __future__ import annotations

import numpy as np
import torch

from hw_models.chip_network import SYNAPSE_SHIFT, Population, Projection
from hw_models.linear_operator import apply_weight
from hw_models.simulator.exactness import Bounds

_INT24 = 1 << 24
_INT32 = 1 << 32


class SynapticInput:
    """All projections into one population.

    Where the bounds prove the sums, weights are float32 and already carry 2^weight_exp * 64, so that a plain float32
    convolution returns the current itself. Elsewhere sums are made in float64 (exact below 2^53) and wrapped as Lava
    wraps them: a convolution to 24 bits, the shifted sum to 32.
    """

    def __init__(self, population: Population, projections: list[Projection], bounds: Bounds, device: torch.device):
        self.shape, self.projections, self.wraps = population.shape, projections, bounds.wraps
        dtype = torch.float64 if bounds.wraps else torch.float32
        shift = 0 if bounds.wraps else SYNAPSE_SHIFT
        self._weights = [
            torch.as_tensor(p.weight.astype(np.int64) << (p.weight_exp + shift), device=device).to(dtype)
            for p in projections
        ]
        self._dtype = dtype

    def __call__(self, messages: list[torch.Tensor]) -> torch.Tensor | None:
        """Current into each neuron.

        Args:
            messages: a projection, [B, N, *source shape] (B steps), float32.

        Returns:
            [B, N, *shape]: float32 or int64, shifted by 6 bits; None without projections.
        """
        total = None
        for projection, weight, message in zip(self.projections, self._weights, messages, strict=True):
            part = apply_weight(message.flatten(0, 1).to(self._dtype), weight, projection.geometry)
            if self.wraps:
                part = part.to(torch.int64)
                if projection.geometry is not None:
                    part = (part + _INT24 // 2) % _INT24 - _INT24 // 2
            part = part.reshape(*message.shape[:2], *self.shape)
            total = part if total is None else total + part
        if total is not None and self.wraps:
            total = ((total << SYNAPSE_SHIFT) + _INT32 // 2) % _INT32 - _INT32 // 2
        return total
