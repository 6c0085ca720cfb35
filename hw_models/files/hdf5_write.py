"""Writes HDF5 files by way of memory.

HDF5 can't end in peace on a disk that is full: every object that it still holds complains, past any handler, and the
file stays open. Bytes that are written at once fail as those of any other file do.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import nir


def write_graph(path: str | Path, graph: nir.NIRGraph) -> None:
    """`nir.write`.

    Raises:
        OSError: the disk is full, or can't be written to.
    """
    content = io.BytesIO()
    nir.write(content, graph)
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


def _write(path: str | Path, content: io.BytesIO) -> None:
    # not a view, which would live on in an error's traceback
    Path(path).write_bytes(content.getvalue())
