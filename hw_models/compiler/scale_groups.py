"""Neurons that share a scale: a whole layer, or each channel by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Groups:
    """`count` groups of equal size over a population of `shape`: 1, or shape[0]."""

    shape: tuple[int, ...]
    count: int

    def spread(self, values: np.ndarray) -> np.ndarray:
        """[count] values, broadcastable against the population."""
        if self.count == 1:
            return np.array(values[0])
        return values.reshape(-1, *[1] * (len(self.shape) - 1))

    def rows(self, values: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """[count] values, broadcastable against a projection's weight (a row a channel or a neuron)."""
        if self.count == 1:
            return np.array(values[0])
        return np.repeat(values, len(weight) // self.count).reshape(-1, *[1] * (weight.ndim - 1))

    def largest_row(self, values: np.ndarray) -> np.ndarray:
        """[count] largest of values given a row of a projection's weight."""
        largest: np.ndarray = values.reshape(self.count, -1).max(axis=1)
        return largest

    def largest(self, values: np.ndarray | float) -> np.ndarray:
        """[count] largest of values that broadcast against the population."""
        return self.largest_row(np.broadcast_to(values, self.shape))

    def uniform(self, values: np.ndarray | float) -> bool:
        """True if each group has one value."""
        rows = np.broadcast_to(values, self.shape).reshape(self.count, -1)
        return bool((rows == rows[:, :1]).all())
