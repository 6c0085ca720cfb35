"""Sums of weights over messages, exact, for a block of steps at a time."""

from __future__ import annotations

import numpy as np
import torch

from ...chip_network.apply_weight import apply_weight
from ...chip_network.form import DECAY_UNITY, SYNAPSE_SHIFT, Population, Projection
from ...errors import UserError
from ..memory_layout import as_neurons, channels_last, flattened
from ..observation import PopulationCounts
from .exactness import Bounds

_INT24 = 1 << 24
_INT32 = 1 << 32


class SynapticInput:
    """Projections into one population.

    Where the bounds prove it, weights already carry 2^weight_exp * 64 / 4096, so that a plain float32 convolution
    returns the current itself in units of 4096 (see `population_state`). Elsewhere sums are made as integers, in
    float32 below 2^24 and in float64 up to 2^53, and wrapped as Lava wraps them: a convolution to 24 bits, the shifted
    sum to 32.

    Args:
        source_shapes: of each projection.
    """

    def __init__(
        self,
        population: Population,
        projections: list[Projection],
        source_shapes: list[tuple[int, ...]],
        bounds: Bounds,
        device: torch.device,
    ):
        self.shape, self.projections, self._proven = population.shape, projections, bounds.proven
        self._dtype = torch.float32 if bounds.float32_sums else torch.float64
        if device.type == "mps" and self._dtype == torch.float64:
            what = "sums beyond 2^24 need float64, which an Apple GPU has not"
            raise UserError(what, where=population.name, remedy="use --device cpu")
        self._weights = [self._prepared(p, shape, device) for p, shape in zip(projections, source_shapes, strict=True)]

    def _prepared(self, projection: Projection, source: tuple[int, ...], device: torch.device) -> torch.Tensor:
        weight = projection.weight
        if projection.geometry is None:
            # rows and columns in the order in which the neurons lie in memory
            weight = weight[_memory_order(self.shape, device)][:, _memory_order(source, device)]
        prepared = torch.as_tensor(weight.astype(np.int64) << projection.weight_exp, device=device).to(self._dtype)
        if self._proven:
            prepared *= 2.0**SYNAPSE_SHIFT / DECAY_UNITY  # a power of two: the digits stay
        if projection.geometry is not None and channels_last(source, device):
            return prepared.contiguous(memory_format=torch.channels_last)
        return prepared

    def sum(
        self,
        messages: dict[int, torch.Tensor],
        static: torch.Tensor | None = None,
        counts: PopulationCounts | None = None,
    ) -> torch.Tensor | None:
        """Sum over some of the projections, not yet wrapped.

        Args:
            messages: index of a projection -> [B, N, *source shape] (B steps), float32.
            static: [N, *shape], the sum over other projections, the same at each step.
            counts: counts wraps.

        Returns:
            [B, N, *shape], float32 or int64; `static` itself without messages.
        """
        total = None
        for index, message in messages.items():
            part = self._part(self.projections[index], self._weights[index], message, counts)
            total = part if total is None else total.add_(part)
        if total is None or static is None:
            return static if total is None else total
        return total.add_(static)

    def current(self, total: torch.Tensor | None, counts: PopulationCounts | None = None) -> torch.Tensor | None:
        """Current of the sum over all projections: float32 in units of 4096 or, where it may wrap, int64."""
        if total is None or self._proven:
            return total
        return _wrapped(total << SYNAPSE_SHIFT, _INT32, counts)

    def _part(
        self, projection: Projection, weight: torch.Tensor, message: torch.Tensor, counts: PopulationCounts | None
    ) -> torch.Tensor:
        x = message.flatten(0, 1).to(self._dtype)
        if projection.geometry is None:
            part = as_neurons(flattened(x) @ weight.T, self.shape)
        else:
            # a convolution's neurons may be numbered otherwise in the population, channels first all the same
            part = apply_weight(x, weight, projection.geometry).reshape(-1, *self.shape)
        if not self._proven:
            part = part.to(torch.int64)
            if projection.geometry is not None:
                part = _wrapped(part, _INT24, counts)
        by_step: torch.Tensor = part.unflatten(0, message.shape[:2])
        return by_step


def wrap_int32(x: torch.Tensor) -> torch.Tensor:
    """int64 as int32 would hold it."""
    return _wrapped(x, _INT32, None)


def _wrapped(x: torch.Tensor, values: int, counts: PopulationCounts | None) -> torch.Tensor:
    """int64 as a signed register of so many `values` would hold it."""
    held = (x + values // 2) % values - values // 2
    if counts is not None:
        counts.wraps += int((held != x).sum())
    return held


def _memory_order(shape: tuple[int, ...], device: torch.device) -> np.ndarray:
    """Index of each neuron (channels first) in the order of memory."""
    index = np.arange(int(np.prod(shape))).reshape(shape)
    return (np.moveaxis(index, 0, -1) if channels_last(shape, device) else index).ravel()
