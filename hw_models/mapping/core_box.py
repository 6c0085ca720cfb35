"""A core's share of a population: a box of channels x rows x columns, cut by a regular tile."""

from __future__ import annotations

from itertools import product

import numpy as np

# (start, stop) of channels, rows, columns; (N,) counts as N channels of one pixel, (C, L) as rows
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
Tile = tuple[int, int, int]


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(N,), (C, L) or (C, H, W) as three axes."""
    channels, rows, columns = (*shape, 1, 1)[:3]
    return channels, rows, columns


def box_size(box: Box) -> int:
    """Neurons of a box."""
    return int(np.prod([stop - start for start, stop in box]))


def boxes(shape: tuple[int, int, int], tile: Tile) -> list[Box]:
    """All boxes of a population, in the order of their numbers; those at the end may be smaller."""
    channels, rows, columns = (
        [(a, min(a + step, n)) for a in range(0, n, step)] for n, step in zip(shape, tile, strict=True)
    )
    return list(product(channels, rows, columns))


def box_numbers(shape: tuple[int, int, int], tile: Tile) -> np.ndarray:
    """Which box each neuron lies in, int64 [C, H, W]."""
    channel, row, column = (np.arange(n) // step for n, step in zip(shape, tile, strict=True))
    rows, columns = row[-1] + 1, column[-1] + 1
    numbers: np.ndarray = (channel[:, None, None] * rows + row[None, :, None]) * columns + column[None, None, :]
    return numbers


def as_slices(box: Box) -> tuple[slice, slice, slice]:
    """The box as an index."""
    channels, rows, columns = (slice(*axis) for axis in box)
    return channels, rows, columns


def whole_box(shape: tuple[int, ...]) -> Box:
    """All of a population of three axes."""
    channels, rows, columns = ((0, n) for n in shape)
    return channels, rows, columns
