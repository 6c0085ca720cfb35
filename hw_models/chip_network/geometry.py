"""A convolution's numbers: what they may be (a file can name any), and the shape that they give."""

from __future__ import annotations

from ..errors import UserError
from .form import Geometry

MOST = 1 << 16  # pixels; no image of ours has a side of so many


def check_geometry(geometry: Geometry, axes: int, *, where: str) -> None:
    """Raises UserError where an entry is missing, too small for a convolution, or larger than any image."""
    for key, lowest in (("stride", 1), ("padding", 0), ("dilation", 1)):
        values = getattr(geometry, key)
        if len(values) != axes or not all(lowest <= n <= MOST for n in values):
            remedy = f"give one of {lowest}..{MOST} an axis"
            raise UserError(f"{key} {list(values)[:4]} over {axes} axes", where=where, remedy=remedy)
    if not 1 <= geometry.groups <= MOST:
        raise UserError(f"{geometry.groups} groups", where=where, remedy="give at least one, of whole channels")


def spatial_output(size: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry) -> tuple[int, ...]:
    """Spatial shape after a convolution over `size`."""
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, geometry.stride, geometry.padding, geometry.dilation, strict=True)
    )
