"""Target "c": C99 for any processor, beside what target lava writes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.chip_network_file import read_chip_network

from ..artefact import NETWORK_FILE
from ..c.footprint import check_footprint, footprint
from ..c.generate import generate_c
from ..source import Source
from .lava import write_lava_target
from .request import ExportRequest

C_FOLDER = "c"


def write_c_target(source: Source, request: ExportRequest, folder: Path) -> dict[str, Any]:
    """A folder of C that needs nothing else."""
    figures = write_lava_target(source, request, folder)
    (folder / C_FOLDER).mkdir()
    plan = generate_c(read_chip_network(folder / NETWORK_FILE), folder / C_FOLDER, title=source.path.stem)
    needs = footprint(plan)
    check_footprint(needs, ram=request.ram, flash=request.flash)
    return {**figures, "c": asdict(needs)}
