"""Which chip and which tile each core gets, so that messages travel little.

Chips: the cores are put in a row and dealt out in that order; of the network's own order and the spectral order
(scipy) the one with fewer messages between chips. Tiles of one chip: a quadratic assignment of cores to places
(scipy's FAQ method), then pairs are swapped as long as that shortens the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..chips.description import ChipDescription
from ..progress import tracked

SWAPS_A_CORE = 8  # steepest descent ends by itself; this bounds a long tail of tiny gains


@dataclass(frozen=True)
class Flow:
    """Messages between cores: `amount` from core `source` to core `target`, arrays of one length."""

    source: np.ndarray
    target: np.ndarray
    amount: np.ndarray


@dataclass(frozen=True)
class Placement:
    """Where each core is; arrays are int64 [cores]. `place` counts a chip's cores, tile after tile, row after row."""

    chip: np.ndarray
    place: np.ndarray


def tile_position(place: np.ndarray, chip: ChipDescription) -> tuple[np.ndarray, np.ndarray]:
    """(column, row) of the tile that a place lies on."""
    tile = place // chip.grid.cores_per_tile
    return tile % chip.grid.columns, tile // chip.grid.columns


def naive_placement(cores: int, chip: ChipDescription) -> Placement:
    """Cores in the network's order, chip after chip and tile after tile."""
    order = np.arange(cores)
    return Placement(order // chip.limits.cores.value, order % chip.limits.cores.value)


def short_placement(cores: int, flow: Flow, chip: ChipDescription) -> Placement:
    """Cores placed so that messages travel little; never further than in naive placement on a single chip."""
    size = chip.limits.cores.value
    rank = np.arange(cores)
    if cores > size:
        spectral = _spectral_rank(cores, flow)
        rank = min((rank, spectral), key=lambda r: _between_chips(flow, r // size))
    on_chip, place = rank // size, rank % size
    column, row = tile_position(np.arange(size), chip)
    distance = np.abs(column[:, None] - column) + np.abs(row[:, None] - row)
    index = np.zeros(cores, dtype=np.int64)
    for number in tracked(range(on_chip.max(initial=-1) + 1), "mapping: placing cores, chips"):
        members = np.flatnonzero(on_chip == number)
        index[members] = np.arange(len(members))
        inside = (on_chip[flow.source] == number) & (on_chip[flow.target] == number)
        between = np.zeros((size, size))
        ends = index[flow.source[inside]], index[flow.target[inside]]
        np.add.at(between, ends, flow.amount[inside])
        between += between.T
        np.fill_diagonal(between, 0)
        place[members] = _assign(between, distance, place[members])[: len(members)]
    return Placement(on_chip, place)


def hops(flow: Flow, placement: Placement, chip: ChipDescription) -> tuple[float, float, float]:
    """(east-west hops, north-south hops, messages between chips) of all messages; hops are those within a chip."""
    column, row = tile_position(placement.place, chip)
    same = placement.chip[flow.source] == placement.chip[flow.target]
    across = np.abs(column[flow.source] - column[flow.target])
    along = np.abs(row[flow.source] - row[flow.target])
    east_west, north_south, between_chips = (
        float((flow.amount * counted).sum()) for counted in (across * same, along * same, ~same)
    )
    return east_west, north_south, between_chips


def _between_chips(flow: Flow, chip: np.ndarray) -> float:
    return float(flow.amount[chip[flow.source] != chip[flow.target]].sum())


def _spectral_rank(cores: int, flow: Flow) -> np.ndarray:
    """Rank of each core along the Fiedler vector of the normalised Laplacian: cores that talk stand close."""
    from scipy.sparse import coo_array, diags_array
    from scipy.sparse.linalg import ArpackError, eigsh

    if not flow.amount.any():
        return np.arange(cores)
    between = coo_array((flow.amount, (flow.source, flow.target)), shape=(cores, cores)).tocsr()
    between = between + between.T
    scale = diags_array(1 / np.sqrt(np.maximum(between.sum(axis=0), 1e-12)))
    try:
        _, vectors = eigsh(
            scale @ between @ scale, k=2, which="LA", v0=np.random.default_rng(0).random(cores), tol=1e-4
        )
    except ArpackError:
        return np.arange(cores)
    rank = np.empty(cores, dtype=np.int64)
    rank[np.argsort(scale @ vectors[:, 0], kind="stable")] = np.arange(cores)
    return rank


def _assign(flow: np.ndarray, distance: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Place of each core of a chip; the chip's unused cores are numbered after the used ones and send nothing."""
    from scipy.optimize import quadratic_assignment

    size = len(flow)
    naive = np.concatenate([first, np.setdiff1d(np.arange(size), first)])
    if not flow.any():
        return naive
    found = quadratic_assignment(flow, distance, method="faq", options={"rng": np.random.default_rng(0)}).col_ind
    swapped = [_swap(flow, distance, start) for start in (naive, found)]
    return min(swapped, key=lambda place: float((flow * distance[np.ix_(place, place)]).sum()))


def _swap(flow: np.ndarray, distance: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Swaps the pair that gains most until none gains. Both matrices are symmetric with a zero diagonal."""
    place = place.copy()
    for _ in range(SWAPS_A_CORE * len(place)):
        apart = distance[np.ix_(place, place)]
        moved = flow @ apart
        own = np.diag(moved)
        # what the way of all messages grows by if cores i and j change places
        change = moved + moved.T - own[:, None] - own[None, :] + 2 * flow * apart
        i, j = np.unravel_index(change.argmin(), change.shape)
        if change[i, j] >= -1e-9 * max(1.0, float(own.sum())):
            break
        place[[i, j]] = place[[j, i]]
    return place
