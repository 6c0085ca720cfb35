"""How the neurons of an input or a population lie in the C code's memory: place by place, all channels of a place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Space:
    """Channels at each place of a plane; a line is one row, a plain list of neurons is one place."""

    channels: int
    height: int
    width: int

    @property
    def places(self) -> int:
        """Places of the plane."""
        return self.height * self.width

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.channels * self.places

    @property
    def order(self) -> np.ndarray:
        """[size]: for each neuron in the order of the memory, its number channels first."""
        order: np.ndarray = np.arange(self.size).reshape(self.channels, self.places).T.ravel()
        return order

    def laid_out(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """[size] in the order of the memory, from what broadcasts against `shape` (channels first)."""
        laid_out: np.ndarray = np.broadcast_to(values, shape).reshape(-1)[self.order]
        return laid_out


def space_of(shape: tuple[int, ...]) -> Space:
    """The space of (N,), (C, L) or (C, H, W); further axes count as rows."""
    if len(shape) == 1:
        return Space(shape[0], 1, 1)
    return Space(shape[0], math.prod(shape[1:-1]), shape[-1])
