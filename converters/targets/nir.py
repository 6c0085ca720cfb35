"""Target "nir": the float graph."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ..artefact import CHECKPOINT_FILE, REFERENCE_FILE
from ..nir_file import write_nir
from ..source import Source
from .request import ExportRequest


def write_nir_target(source: Source, request: ExportRequest, folder: Path) -> dict[str, Any]:
    """The float graph, with the checkpoint beside it if there is one."""
    write_nir(folder / REFERENCE_FILE, source.graph)
    if source.checkpoint:
        shutil.copyfile(source.path, folder / CHECKPOINT_FILE)
    return {"steps": request.steps or source.steps}
