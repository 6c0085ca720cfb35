"""Stride, padding, dilation and groups of NIR's convolutions and pools, in one form."""

from __future__ import annotations

import nir
import numpy as np

from hw_models.chip_network import Geometry
from hw_models.errors import UserError


def read_geometry(name: str, node: nir.Conv1d | nir.Conv2d) -> Geometry:
    """Geometry of a convolution; padding "same" and "valid" become numbers.

    Raises:
        UserError: "same" that would need unequal padding on two sides, or "same" with a stride.
    """
    kernel = node.weight.shape[2:]
    axes = len(kernel)
    stride, dilation = _each(node.stride, axes), _each(node.dilation, axes)
    if isinstance(node.padding, str):
        if node.padding == "valid":
            padding = (0,) * axes
        else:
            reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
            if any(r % 2 for r in reach) or any(s != 1 for s in stride):
                raise UserError(
                    "padding 'same' with an even kernel or a stride has no symmetric form",
                    where=name,
                    remedy="give the padding as numbers",
                )
            padding = tuple(r // 2 for r in reach)
    else:
        padding = _each(node.padding, axes)
    return Geometry(stride, padding, dilation, int(node.groups))


def pool_geometry(node: nir.SumPool2d | nir.AvgPool2d, channels: int) -> tuple[tuple[int, ...], Geometry]:
    """(kernel size, geometry) of a pool seen as a convolution with one group a channel."""
    kernel = _each(node.kernel_size, 2)
    return kernel, Geometry(_each(node.stride, 2), _each(node.padding, 2), (1, 1), channels)


def _each(value: object, axes: int) -> tuple[int, ...]:
    values = [int(v) for v in np.ravel(np.asarray(value))]
    return tuple(values * axes) if len(values) == 1 else tuple(values)
