"""Source "graph": a NIR graph in memory."""

from __future__ import annotations

import sys
from typing import Any

from ..source import Source, source_of_graph
from .source_reader import ReadRequest, SourceReader


class NirGraphSource(SourceReader):
    """A NIR graph that a program made."""

    name, about = "graph", "a NIR graph"
    in_memory = True

    def takes(self, given: object) -> bool:
        """See SourceReader."""
        nir: Any = sys.modules.get("nir")  # who has a graph has imported it
        return nir is not None and isinstance(given, nir.NIRGraph)

    def read(self, given: Any, asked: ReadRequest) -> Source:
        """See SourceReader."""
        return source_of_graph(given, dt=asked.dt)
