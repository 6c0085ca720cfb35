"""Samples that are read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class LazySamples:
    """Looks like a float32 array [N, *sample_shape] along its first axis; each indexing reads the samples it names.

    `lazy[index]` takes what indexes a numpy array's first axis (a slice, whole numbers, a mask, one number) and gives
    an array of its own. `np.asarray(lazy)` reads everything.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, sample_shape: tuple[int, ...], count: int, read: Callable[[int], np.ndarray]):
        """Args: sample_shape: of one sample; count: N; read: sample 0..N-1 -> array of `sample_shape`."""
        self.shape = (count, *sample_shape)
        self._positions = np.arange(count)
        self._read = read

    @property
    def ndim(self) -> int:
        """Axes, that of the samples included."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """The named samples, float32; IndexError outside 0..N-1, ValueError for a sample of another shape."""
        chosen = self._positions[index]
        samples = np.empty((chosen.size, *self.shape[1:]), self.dtype)
        for place, position in enumerate(chosen.flat):
            sample = np.asarray(self._read(int(position)))
            if sample.shape != self.shape[1:]:  # assigned, it might silently be repeated to fit
                raise ValueError(f"sample {position} has shape {sample.shape}, not {self.shape[1:]}")
            samples[place] = sample
        return samples.reshape(*chosen.shape, *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("samples that are read when asked for are no array without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)
