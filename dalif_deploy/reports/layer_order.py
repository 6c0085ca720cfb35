"""Layers in the order in which the input reaches them; files list them by name."""

from __future__ import annotations

from typing import Any

import networkx as nx


def in_network_order(report: dict[str, Any]) -> dict[str, Any]:
    """The report with every list of layers in the network's order; those of a loop keep theirs among themselves."""
    counts = report["counts"]
    place = {layer["name"]: index for index, layer in enumerate(counts["layers"])}
    graph = nx.DiGraph((p["source"], p["target"]) for p in counts["projections"])
    graph.add_nodes_from(place)
    loops = nx.condensation(graph)
    members = nx.get_node_attributes(loops, "members")

    def first(loop: int) -> int:
        return min(place.get(name, -1) for name in members[loop])

    order = [
        name
        for loop in nx.lexicographical_topological_sort(loops, key=first)
        for name in sorted(members[loop], key=lambda name: place.get(name, -1))
    ]

    def ordered(part: dict[str, Any] | None, key: str) -> dict[str, Any] | None:
        return (
            {**part, key: sorted(part[key], key=lambda row: order.index(row["name"]))} if part and key in part else part
        )

    return {
        **report,
        "counts": ordered(counts, "layers"),
        "mapping": ordered(report.get("mapping"), "populations"),
        "histograms": ordered(report.get("histograms"), "layers"),
    }
