"""Edges of a NIR file that name nodes which are not there: said exactly, with what would repair the file."""

from __future__ import annotations

from typing import Any

from dalif_deploy.hw_models.errors import UserError

ENDS = ("Input", "Output")


def require_edges_between_nodes(entry: dict[str, Any], path: str) -> None:
    """Looks through a graph as it was read, before it becomes nodes of nir, and through the graphs within.

    Raises:
        UserError: naming the subgraph, the edge, and the node that was likely meant.
    """
    _look(entry, path, "node", [])


def _look(entry: dict[str, Any], path: str, place: str, within: list[str]) -> None:
    nodes = entry.get("nodes")
    if not isinstance(nodes, dict):
        return
    edges = [(_text(source), _text(target)) for source, target in entry.get("edges", [])]
    named = {name for edge in edges for name in edge}
    missing = sorted(named - set(nodes))
    if missing:
        source, target = next(edge for edge in edges if missing[0] in edge)
        graph = f"subgraph {'.'.join(within)}" if within else "the graph"
        what = f"an edge of {graph}, {source} -> {target}, names a node that is not there: {', '.join(missing)}"
        unused = [name for name in nodes if name not in named and _kind(nodes[name]) not in ENDS]
        if len(missing) == len(unused) == 1:
            what += f"; {unused[0]}, a {_kind(nodes[unused[0]])}, has no edge and is likely meant"
            inside = f"{place}/nodes"
            remedy = (
                f"rename it: python -c \"import h5py; h5py.File({path!r}, 'a').move('{inside}/{unused[0]}', "
                f"'{inside}/{missing[0]}')\""
            )
        else:
            remedy = f"write it again with edges between its nodes: {', '.join(nodes)}"
        raise UserError(what, where=path, remedy=remedy)
    for name, each in nodes.items():
        if isinstance(each, dict):
            _look(each, path, f"{place}/nodes/{name}", [*within, name])


def _text(name: Any) -> str:
    return name.decode("utf8", "replace") if isinstance(name, bytes) else str(name)


def _kind(entry: Any) -> str:
    return _text(entry.get("type", "?")) if isinstance(entry, dict) else "?"
