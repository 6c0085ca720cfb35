"""Source "nir": a file that nir.write, or a writer like it, wrote."""

from __future__ import annotations

from pathlib import Path

from ..file_digest import file_digest
from ..source import Source, source_of_nir
from .source_reader import ReadRequest, SourceReader


class NirFileSource(SourceReader):
    """A NIR graph of any framework, in a file."""

    name, about = "nir", "a NIR graph (.nir)"

    def takes(self, given: object) -> bool:
        """See SourceReader."""
        if not isinstance(given, Path):
            return False
        import h5py

        return given.suffix.lower() in (".nir", ".h5", ".hdf5") or bool(h5py.is_hdf5(given))

    def read(self, given: Path, asked: ReadRequest) -> Source:
        """See SourceReader."""
        return source_of_nir(given, file_digest(given), dt=asked.dt)
