"""Axes: this project holds (C, H, W), (C, L) and (N,); Lava holds (W, H, C), and here (L, 1, C) and (N,)."""

from __future__ import annotations

import numpy as np

from dalif_deploy.hw_models.chip_network.form import Geometry


def lava_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Lava's shape of a population or input of `shape`."""
    return (shape[1], 1, shape[0]) if len(shape) == 2 else tuple(reversed(shape))


def to_lava(array: np.ndarray) -> np.ndarray:
    """One population's values (no batch) in Lava's order."""
    return array.T[:, None, :] if array.ndim == 2 else array.T


def from_lava(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Lava's values of a population back in this project's order and `shape`."""
    return array.T.reshape(shape)


def lava_flat_order(shape: tuple[int, ...]) -> np.ndarray:
    """For each neuron in Lava's flattened order, its index in this project's flattened (channels-first) order."""
    return to_lava(np.arange(int(np.prod(shape))).reshape(shape)).ravel()


def lava_kernel(weight: np.ndarray) -> np.ndarray:
    """PyTorch's kernel [out, in, kh, kw] or [out, in, k] as Lava's [out, kw, kh, in].

    Lava convolves where PyTorch cross-correlates, so the kernel is flipped.
    """
    if weight.ndim == 3:
        weight = weight[:, :, None, :]
    return np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1))


def lava_geometry(geometry: Geometry) -> dict[str, tuple[int, int]]:
    """Stride, padding and dilation in Lava's (W, H) order; a 1-d convolution has height 1."""

    def two(values: tuple[int, ...], neutral: int) -> tuple[int, int]:
        values = tuple(int(v) for v in values)
        return (values[0], neutral) if len(values) == 1 else (values[1], values[0])

    return {
        "stride": two(geometry.stride, 1),
        "padding": two(geometry.padding, 0),
        "dilation": two(geometry.dilation, 1),
    }
