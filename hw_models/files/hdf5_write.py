"""Writes HDF5 files by way of memory.

HDF5 can't end in peace on a disk that is full: every object that it still holds complains, past any handler, and the
file stays open. Bytes that are written at once fail as those of any other file do.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from ..progress import told


def write_graph(path: str | Path, graph: nir.NIRGraph) -> None:
    """`nir.write`.

    Raises:
        OSError: the disk is full, or can't be written to.
    """
    content = io.BytesIO()
    nir.write(content, _Told(graph, f"writing {Path(path).name}, bytes of arrays"))
    _write(path, content)


@contextmanager
def hdf5_file(path: str | Path) -> Iterator[h5py.File]:
    """An empty file to fill; it stands at `path` once the block ends without an error.

    Raises:
        OSError: as `write_graph`.
    """
    content = io.BytesIO()
    with h5py.File(content, "w", track_order=False) as file:
        yield file
    _write(path, content)


class _Told:
    """A graph as `nir.write` asks for it, which tells how many bytes of its arrays were taken."""

    def __init__(self, graph: nir.NIRGraph, what: str):
        self._graph, self._what = graph, what

    def to_dict(self) -> dict[str, Any]:
        """Of the graph; dicts tell what was taken from them."""
        content = self._graph.to_dict()
        total, done = _array_bytes(content), 0

        def taken(size: int) -> None:
            nonlocal done
            done += size
            told(self._what, done, total)

        return _Entries(content, taken)


class _Entries(dict[str, Any]):
    def __init__(self, content: dict[str, Any], taken: Callable[[int], None]):
        super().__init__({k: _Entries(v, taken) if isinstance(v, dict) else v for k, v in content.items()})
        self._taken = taken

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]
        for key, value in super().items():
            yield key, value
            if isinstance(value, np.ndarray):
                self._taken(value.nbytes)


def _array_bytes(content: Any) -> int:
    if isinstance(content, dict):
        return sum(_array_bytes(each) for each in content.values())
    return int(content.nbytes) if isinstance(content, np.ndarray) else 0


def _write(path: str | Path, content: io.BytesIO) -> None:
    # not a view, which would live on in an error's traceback
    Path(path).write_bytes(content.getvalue())
