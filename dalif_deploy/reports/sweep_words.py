"""How a sweep's points are called, in the table and in the plot."""

from __future__ import annotations

from typing import Any


def by_scope(sweep: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The points with figures, those that may be compared together."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for point in sweep["points"]:
        if point["status"] == "done":
            groups.setdefault(point["scope"], []).append(point)
    return groups


def varied(points: list[dict[str, Any]]) -> list[str]:
    """The swept keys that tell these points apart; all of them for a single point."""
    keys = list(points[0]["settings"])
    differing = [key for key in keys if len({point["settings"][key] for point in points}) > 1]
    return differing or keys


def energy_words(point: dict[str, Any]) -> str:
    """How far the energy of a point, and of all of its scope, can be trusted."""
    return f"{point['energy']['status']}: {point['energy']['title']}"
