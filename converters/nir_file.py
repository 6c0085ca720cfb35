"""NIR files in and out, with faults said in one line."""

from __future__ import annotations

import copy
from pathlib import Path

import h5py
import nir
import numpy as np

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line
from dalif_deploy.hw_models.files.hdf5_read import check_hdf5
from dalif_deploy.hw_models.files.hdf5_write import write_graph
from dalif_deploy.hw_models.graph import FlatGraph, flatten_graph

from .nir_edges import require_edges_between_nodes


def read_nir(path: str | Path) -> nir.NIRGraph:
    """Reads a NIR graph. Shapes are not checked here; `hw_models.graph.flatten_graph` infers and checks them.

    Raises:
        UserError: missing, truncated or foreign file, or a node type that nir does not know.
    """
    path = Path(path)
    if not path.exists():
        raise UserError("no such file", where=str(path), remedy="check the path")
    if not h5py.is_hdf5(path):
        raise UserError(
            "not a NIR file (not HDF5, or truncated)", where=str(path), remedy="write it again with nir.write"
        )
    with damage_in_one_line("not a readable NIR graph", where=path, remedy="write it again with nir.write"):
        check_hdf5(path)
        graph = _read_unchecked(path)
    if not isinstance(graph, nir.NIRGraph):
        raise UserError(
            "holds a single node, not a graph", where=str(path), remedy="wrap it with nir.NIRGraph.from_list"
        )
    return graph


def _read_unchecked(path: Path) -> nir.NIRNode:
    """As `nir.read`, which refuses convolutions without an input shape; it follows from the graph."""
    with h5py.File(path, "r") as file:
        node = nir.serialization.hdf2dict(file["node"])
    waiting = [node]
    while waiting:
        entry = waiting.pop()
        if entry.get("type") in ("Conv1d", "Conv2d"):
            entry.setdefault("input_shape", None)
        waiting += [each for each in entry.get("nodes", {}).values() if isinstance(each, dict)]
    require_edges_between_nodes(node, str(path))
    # nir takes this one from the file's own entries
    return nir.dict2NIRNode({**node, "type_check": False} if node.get("type") == "NIRGraph" else node)


def write_nir(path: str | Path, graph: nir.NIRGraph) -> None:
    """Writes a graph, also one that `nir.write` 1.0 refuses, as those that Norse and sinabs make.

    Scalar parameters, tensors of torch, convolutions and flattenings without an input shape (it is inferred).
    The graph itself is left as it is.

    Raises:
        UserError: the graph is not one of the LIF family, or its shapes don't fit.
    """
    write_graph(path, _writable(graph, flatten_graph(graph), ""))


def _writable(graph: nir.NIRGraph, flat: FlatGraph, prefix: str) -> nir.NIRGraph:
    nodes = {}
    for name, original in graph.nodes.items():
        if isinstance(original, nir.NIRGraph):
            nodes[name] = _writable(original, flat, f"{prefix}{name}.")
            continue
        nodes[name] = node = copy.copy(original)
        for key, value in vars(original).items():
            if hasattr(value, "shape"):
                # [()] makes a plain number of a scalar array, which HDF5 can't compress
                setattr(node, key, np.asarray(value)[()])
        arriving = [flat.shapes[source] for source in flat.predecessors(prefix + name)]
        if isinstance(node, nir.Conv1d | nir.Conv2d) and node.input_shape is None:
            node.input_shape = arriving[0][1:] if isinstance(node, nir.Conv2d) else arriving[0][1]
        if isinstance(node, nir.Flatten) and node.input_type.get("input") is None:
            node.input_type = {"input": np.array(arriving[0])}
    return nir.NIRGraph(nodes, list(graph.edges), metadata=dict(graph.metadata or {}), type_check=False)


def graph_metadata(graph: nir.NIRGraph, key: str) -> str | float | None:
    """One entry of a graph's metadata, bytes decoded; None if it is not there."""
    value = (graph.metadata or {}).get(key)
    if isinstance(value, bytes):
        return value.decode("utf8")
    return value
