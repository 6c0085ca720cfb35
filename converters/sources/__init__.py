"""The sources of an export: a file each, and the table that names them.

Nothing here imports torch or nir before a source is read: the commands list the table in their --help.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dalif_deploy.hw_models.errors import UserError, listed

from ..artefact import EXPORT_JSON
from ..source import Source
from .checkpoint_source import CheckpointSource
from .live_module_source import LiveModuleSource
from .net_file_source import NetFileSource
from .nir_file_source import NirFileSource
from .nir_graph_source import NirGraphSource
from .source_reader import ReadRequest, SourceReader

__all__ = ["SOURCES", "ReadRequest", "SourceReader", "file_sources", "load_source"]

# asked in this order; "checkpoint" takes every file that is left
SOURCES: dict[str, SourceReader] = {
    reader.name: reader
    for reader in (
        NetFileSource(),
        NirFileSource(),
        CheckpointSource(),
        NirGraphSource(),
        LiveModuleSource(),
    )
}


def file_sources() -> list[str]:
    """What the readers of files take, in words."""
    return [reader.about for reader in SOURCES.values() if not reader.in_memory]


def load_source(given: object, asked: ReadRequest | None = None) -> Source:
    """Brings what the user gave to the one form.

    Args:
        given: a path (text or `Path`), or an object in memory that one of `SOURCES` takes.
        asked: what the user said beside it.

    Raises:
        UserError: nothing that a source takes; missing, damaged or foreign; a dt that is not positive.
    """
    asked = asked or ReadRequest()
    if asked.dt is not None and not asked.dt > 0:
        raise UserError(f"dt must be above 0, got {asked.dt}", remedy="give seconds, for example --dt 1e-4")
    if isinstance(given, str | Path):
        given = Path(given)
        if given.is_dir():
            look = f"dalif-inspect {given} says what it is; " if (given / EXPORT_JSON).is_file() else ""
            raise UserError("is a folder", where=str(given), remedy=f"{look}give {listed(file_sources())}")
        if not given.exists():
            raise UserError("no such file", where=str(given), remedy="check the path")
    for reader in SOURCES.values():
        if reader.takes(given):
            return _with_reset(reader.read(given, asked), asked.reset)
    known = listed(reader.about for reader in SOURCES.values())
    raise UserError(f"can't export a {type(given).__name__}", remedy=f"give {known}")


def _with_reset(source: Source, reset: str | None) -> Source:
    if reset is None:
        return source
    from ..reset import state_reset

    state_reset(source.graph, reset)
    return replace(source, reset_from="given")
