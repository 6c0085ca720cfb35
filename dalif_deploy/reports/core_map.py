"""The chip as a picture: tiles of cores, each filled as far as the limit that it is nearest to."""

from __future__ import annotations

from typing import Any

from dalif_deploy.hw_models.energy.report.mapping import CheckedLimit, Fits, MappingFigures, UsedCore
from dalif_deploy.hw_models.mapping.core_limit import CoreLimit

CHIPS_DRAWN = 4
CORE, PITCH, GAP = 11, 13, 6  # of a core, from core to core, between tiles more


def core_maps(mapping: MappingFigures, numbers: dict[str, int]) -> list[dict[str, Any]]:
    """Rectangles of the first `CHIPS_DRAWN` chips.

    Args:
        numbers: of each layer, counted from 0.

    Returns:
        a chip: number, used (cores), width, height, and cores: x, y, layer (None: free), share (of the nearest limit)
        and text.
    """
    if not isinstance(mapping, Fits):
        return []
    grid = mapping.grid
    places = grid.cores_per_tile
    side = max(1, round(places**0.5))
    width, height = PITCH * side + GAP, PITCH * -(-places // side) + GAP
    limits = {limit.name: limit.limit for limit in mapping.limits if isinstance(limit, CheckedLimit)}
    tiles: dict[tuple[int, ...], list[UsedCore]] = {}
    for core in mapping.core_list:
        tiles.setdefault((core.chip, *core.tile), []).append(core)
    maps = []
    for chip in range(min(mapping.chips, CHIPS_DRAWN)):
        drawn = []
        for column in range(grid.columns):
            for row in range(grid.rows):
                here = tiles.get((chip, column, row), [])
                for place in range(places):
                    x, y = column * width + place % side * PITCH, row * height + place // side * PITCH
                    used = place < len(here)
                    drawn.append({"x": x, "y": y, **(_used(here[place], numbers, limits) if used else _FREE)})
        maps.append(
            {
                "number": chip,
                "used": sum(core["layer"] is not None for core in drawn),
                "cores": drawn,
                "width": grid.columns * width - GAP,
                "height": grid.rows * height - GAP,
            }
        )
    return maps


_FREE = {"layer": None, "share": 0.0, "text": "free"}


def _used(core: UsedCore, numbers: dict[str, int], limits: dict[CoreLimit, int]) -> dict[str, Any]:
    nearest = core.binding_limit
    share = min(1.0, getattr(core, nearest) / limits[nearest]) if nearest in limits else 0.0
    piece = " x ".join(f"{start}…{stop - 1}" for start, stop in core.slice)
    return {
        "layer": numbers.get(core.population, 0),
        "share": share,
        "text": f"{core.population} [{piece}]: {core.neurons_per_core:,} neurons, {core.messages_in:,.0f} "
        f"messages in, {core.messages_out:,.0f} out a sample; {share:.0%} of the nearest limit, "
        f"{nearest.removesuffix('_per_core').replace('_', ' ')}",
    }
