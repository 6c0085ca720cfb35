"""Which points no other one beats. Only points whose figures stand on the same ground are held against each other."""

from __future__ import annotations

from typing import Any

import numpy as np


def scope(point: dict[str, Any]) -> str:
    """Points of one scope are priced by the same constants for the same events.

    Two chips differ in their constants, or in how far these are assumed; and where the host computes the first layer,
    its energy is in no total.
    """
    return f"{point['chip']}, first layer on the host" if point["host"] else str(point["chip"])


def objectives(point: dict[str, Any]) -> tuple[float, ...]:
    """What counts, each the smaller the better: error, both ends of energy by each model, of latency, cores.

    An energy without an upper bound counts as infinite there, so such points differ in their lower ends.
    """
    found = [-(point["accuracy"] or 0.0)]
    for energy in (point["energy"], point["energy_sanafe"]):
        if energy is not None:
            high = energy["total"]["high"]
            found += [energy["total"]["low"], float("inf") if high is None else high]
    return (*found, point["latency"]["alone"]["low"], point["latency"]["alone"]["high"], float(point["cores"]))


def mark_front(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points with `scope` and `on_front`, both None where a point has no figures or no room."""
    marked = [{**point, "scope": None, "on_front": None} for point in points]
    groups: dict[str, list[dict[str, Any]]] = {}
    for point in marked:
        if point["status"] == "done":
            point["scope"] = scope(point)
            groups.setdefault(point["scope"], []).append(point)
    for group in groups.values():
        values = np.array([objectives(point) for point in group])
        for point, own in zip(group, values, strict=True):
            beaten = (values <= own).all(axis=1) & (values < own).any(axis=1)
            point["on_front"] = not beaten.any()
    return marked
