"""NIR files in and out, with faults said in one line."""

from __future__ import annotations

from pathlib import Path

import h5py
import nir

from hw_models.errors import UserError


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
    try:
        graph = nir.read(path, type_check=False)
    # h5py and nir raise many types for damaged content
    except (OSError, KeyError, ValueError, TypeError, AttributeError, AssertionError, RuntimeError) as error:
        raise UserError(
            f"not a readable NIR graph ({type(error).__name__}: {error})",
            where=str(path),
            remedy="write it again with nir.write",
        ) from error
    if not isinstance(graph, nir.NIRGraph):
        raise UserError(
            "holds a single node, not a graph", where=str(path), remedy="wrap it with nir.NIRGraph.from_list"
        )
    return graph


def graph_metadata(graph: nir.NIRGraph, key: str) -> str | float | None:
    """One entry of a graph's metadata, bytes decoded; None if it is not there."""
    value = (graph.metadata or {}).get(key)
    if isinstance(value, bytes):
        return value.decode("utf8")
    return value
