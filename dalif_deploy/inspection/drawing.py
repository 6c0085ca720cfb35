"""A graph as boxes in rows by data flow, with arrows; coordinates in pixels."""

from __future__ import annotations

from typing import Any

import networkx as nx

WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 190, 46, 24, 34, 30


def drawing(facts: dict[str, Any]) -> dict[str, Any]:
    """Places every node; an edge that closes a loop is led around by the right.

    Args:
        facts: of `graph_facts`.

    Returns:
        `width`, `height`, `boxes` (x, y, and the node's facts) and `arrows` (SVG path, whether it closes a loop).
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(node["name"] for node in facts["nodes"])
    graph.add_edges_from((a, b) for a, b, back in facts["edges"] if not back)
    try:
        rows = list(nx.topological_generations(graph))
    except nx.NetworkXUnfeasible:  # a graph with a fault: in the order of the file
        rows = [[node["name"]] for node in facts["nodes"]]
    widest = max(map(len, rows), default=1)
    inner = widest * (WIDTH + ACROSS) - ACROSS
    place = {}
    for row, names in enumerate(rows):
        start = MARGIN + (inner - (len(names) * (WIDTH + ACROSS) - ACROSS)) / 2
        for column, name in enumerate(names):
            place[name] = (start + column * (WIDTH + ACROSS), MARGIN + row * (HEIGHT + DOWN))
    row_of = {name: row for row, names in enumerate(rows) for name in names}
    right = MARGIN + inner
    arrows = [
        {"path": _path(place[a], place[b], abs(row_of[b] - row_of[a]) > 1 or back, right), "loop": back}
        for a, b, back in facts["edges"]
    ]
    return {
        "width": right + 3 * MARGIN,
        "height": 2 * MARGIN + len(rows) * (HEIGHT + DOWN) - DOWN,
        "box": (WIDTH, HEIGHT),
        "boxes": [{**node, "x": place[node["name"]][0], "y": place[node["name"]][1]} for node in facts["nodes"]],
        "arrows": arrows,
    }


def _path(start: tuple[float, float], end: tuple[float, float], around: bool, right: float) -> str:
    """From below one box to above the next; one that passes others, or goes back, at their side."""
    if around:
        x, y, to_x, to_y = start[0] + WIDTH, start[1] + HEIGHT / 2, end[0] + WIDTH, end[1] + HEIGHT / 2
        side = right + 1.5 * MARGIN
        return f"M{x:g} {y:g} C{side:g} {y:g} {side:g} {to_y:g} {to_x:g} {to_y:g}"
    x, y, to_x, to_y = start[0] + WIDTH / 2, start[1] + HEIGHT, end[0] + WIDTH / 2, end[1]
    middle = (y + to_y) / 2
    return f"M{x:g} {y:g} C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"
