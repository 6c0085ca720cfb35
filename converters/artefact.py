"""An exported network on disk: one folder, and what lies in it.

export.json    what was exported, from what, how, and what quantisation did a layer
model.nir      the float network, NIR
network.nir    the compiled network, integers (target lava and whatever builds on a chip)
model.pt       the checkpoint it came from, if it came from one
step.onnx, sequence.onnx, chip.onnx    ONNX models (target onnx)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nir

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.errors import UserError

from .nir_file import read_nir

EXPORT_FORMAT = "dalif-deploy export 1"
EXPORT_JSON, REFERENCE_FILE, NETWORK_FILE, CHECKPOINT_FILE = "export.json", "model.nir", "network.nir", "model.pt"
ONNX_FILES = {"step": "step.onnx", "sequence": "sequence.onnx", "chip": "chip.onnx"}


@dataclass
class Artefact:
    """An exported network; what it has no file for raises an error that says how to get one."""

    folder: Path
    export: dict[str, Any]

    @property
    def network(self) -> ChipNetwork:
        """The compiled network."""
        from dalif_deploy.hw_models.chip_network.file import read_chip_network

        return read_chip_network(self._file(NETWORK_FILE, "has no compiled network", "export with --target lava"))

    @property
    def reference(self) -> nir.NIRGraph:
        """The float network."""
        return read_nir(self._file(REFERENCE_FILE, "has no float network", "export it again"))

    @property
    def checkpoint(self) -> Path:
        """The trained network's checkpoint."""
        return self._file(CHECKPOINT_FILE, "was not exported from a checkpoint", "use --engine nir")

    def onnx(self, form: str) -> Path:
        """The ONNX model "step", "sequence" or "chip"."""
        return self._file(ONNX_FILES[form], "has no ONNX models", "export with --target onnx")

    @property
    def compiled(self) -> bool:
        """True if there is a compiled network."""
        return (self.folder / NETWORK_FILE).is_file()

    @property
    def steps(self) -> int | None:
        """Steps a sample; None if neither source nor command said."""
        steps: int | None = self.export["steps"]
        return steps

    @property
    def dt(self) -> float:
        """Time step of the float network in seconds."""
        return float(self.export["dt"])

    def _file(self, name: str, what: str, remedy: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise UserError(what, where=str(self.folder), remedy=remedy)
        return path


def load_artefact(folder: str | Path) -> Artefact:
    """Opens an exported folder; its networks are read when asked for.

    Raises:
        UserError: not a folder that dalif-export wrote.
    """
    folder = Path(folder)
    path = folder / EXPORT_JSON
    if not folder.is_dir() or not path.is_file():
        raise UserError(
            "not an exported network (no export.json)", where=str(folder), remedy="write one with dalif-export"
        )
    try:
        export = json.loads(path.read_text(encoding="utf-8"))
        if export["format"] != EXPORT_FORMAT:
            raise ValueError(f"format {export['format']!r}")
        if not (isinstance(export["target"], str) and 0 < float(export["dt"]) < float("inf")):
            raise ValueError("target or dt")
        if not (export["steps"] is None or (isinstance(export["steps"], int) and export["steps"] > 0)):
            raise ValueError("steps")
    except (ValueError, KeyError, TypeError, OSError, OverflowError, RecursionError) as error:
        raise UserError(
            f"export.json is damaged or of another version ({error})", where=str(folder), remedy="export it again"
        ) from error
    return Artefact(folder, export)
