"""What is exported again for each point, and what it was exported with if it is a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.errors import UserError

REMEDY = "give a checkpoint, zoo:NAME, a NIR graph or an exported folder"


@dataclass(frozen=True)
class SweepSource:
    """A checkpoint or a graph.

    Attributes:
        settings: by the keys of `grid.sweep_keys`: what holds where the sweep says nothing; empty leaves it to export.
        dt: seconds, None if the file says it.
    """

    file: Path
    settings: dict[str, Any] = field(default_factory=dict)
    dt: float | None = None


def sweep_source(path: Path) -> SweepSource:
    """The file itself, or the one that an exported folder has kept of its source, with the folder's own settings.

    Raises:
        UserError: no such path; a folder that can't be exported again.
    """
    if not path.exists():
        raise UserError("no such file", where=str(path), remedy=REMEDY)
    if not path.is_dir():
        return SweepSource(path)
    from dalif_deploy.converters.artefact import CHECKPOINT_FILE, REFERENCE_FILE, load_artefact
    from dalif_deploy.hw_models.chips.description import load_chip

    export = load_artefact(path).export
    checkpoint = (path / CHECKPOINT_FILE).is_file()
    file = path / (CHECKPOINT_FILE if checkpoint else REFERENCE_FILE)
    why = None
    if "integers_from" in export or not file.is_file():
        why = "holds no float network"
    elif export.get("calibration"):
        why = "has scales chosen by samples that it does not hold"
    if why:
        raise UserError(f"{why}: can't be exported again", where=str(path), remedy="give the checkpoint or NIR graph")
    chip, mode = export.get("chip"), export.get("input")
    if checkpoint and chip is not None and mode == load_chip(chip).formats.image_input:
        mode = None  # another chip has another default
    found = {
        "chip": chip,
        "steps": export["steps"],
        "input": mode,
        "weight-bits": export.get("weight_bits"),
        "scale-group": export.get("scale_rule", {}).get("group"),
    }
    return SweepSource(file, {key: value for key, value in found.items() if value is not None}, float(export["dt"]))
