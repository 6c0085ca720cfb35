"""Stride, padding, dilation and groups of NIR's convolutions and pools, in one form."""

from __future__ import annotations

import nir
import numpy as np

from ..chip_network.form import Geometry
from ..chip_network.geometry import check_geometry
from ..chip_network.size import check_size
from ..errors import UserError


def read_convolution(name: str, node: nir.Conv1d | nir.Conv2d) -> tuple[np.ndarray, Geometry]:
    """(kernel float64, geometry) of a convolution; padding "same" and "valid" become numbers.

    "same" with an even reach pads one more behind than before: a kernel with a tap of zeros in front says the same
    with equal padding.

    Raises:
        UserError: "same" with a stride.
    """
    kernel = np.asarray(node.weight, dtype=np.float64)
    axes = kernel.ndim - 2
    stride, dilation, groups = _each(node.stride, axes), _each(node.dilation, axes), int(node.groups)
    padding = (0,) * axes if isinstance(node.padding, str) else _each(node.padding, axes)
    geometry = Geometry(stride, padding, dilation, groups)
    check_geometry(geometry, axes, where=name)
    if not kernel.size or len(kernel) % groups:
        raise UserError(f"kernel {list(kernel.shape)} with {groups} groups", where=name, remedy="repair the graph")
    if not isinstance(node.padding, str):
        return kernel, geometry
    if node.padding == "valid":
        return kernel, geometry
    if node.padding != "same":
        raise UserError(f"unknown padding {node.padding!r}", where=name, remedy="use numbers, 'same' or 'valid'")
    if any(s != 1 for s in stride):
        raise UserError("padding 'same' with a stride", where=name, remedy="give the padding as numbers")
    padding = ()
    reaches = [d * (k - 1) for k, d in zip(kernel.shape[2:], dilation, strict=True)]
    for axis, reach in enumerate(reaches):
        if reach % 2:
            kernel = _zero_tap_in_front(kernel, axis + 2, dilation[axis])
        padding += ((reach + 1) // 2,)
    dilation = tuple(1 if reach % 2 else d for reach, d in zip(reaches, dilation, strict=True))
    return kernel, Geometry(stride, padding, dilation, groups)


def _zero_tap_in_front(kernel: np.ndarray, axis: int, dilation: int) -> np.ndarray:
    """The kernel written out without dilation along `axis`, with one more tap, of zeros, in front."""
    shape = list(kernel.shape)
    shape[axis] = dilation * (shape[axis] - 1) + 2
    check_size([shape])
    wide = np.zeros(shape)
    wide[(slice(None),) * axis + (slice(1, None, dilation),)] = kernel
    return wide


def pool_geometry(node: nir.SumPool2d | nir.AvgPool2d, channels: int) -> tuple[tuple[int, ...], Geometry]:
    """(kernel size, geometry) of a pool seen as a convolution with one group a channel."""
    kernel = _each(node.kernel_size, 2)
    geometry = Geometry(_each(node.stride, 2), _each(node.padding, 2), (1, 1), channels)
    check_geometry(geometry, 2, where="pooling")
    check_size([kernel])
    return kernel, geometry


def _each(value: object, axes: int) -> tuple[int, ...]:
    values = [int(v) for v in np.ravel(np.asarray(value))]
    return tuple(values * axes) if len(values) == 1 else tuple(values)
