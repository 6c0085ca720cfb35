"""An exported network on disk: one folder, and what lies in it.

export.json    what was exported, from what, how, what quantisation did a layer, and the SHA-256 of every other file
model.nir      the float network, NIR
network.nir    the compiled network, integers (target lava and whatever builds on a chip)
model.pt       the checkpoint it came from, if it came from one

and what the target adds, which its file in `targets` names.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.notebook_table import notebook_table

from .file_digest import file_digest

if TYPE_CHECKING:
    import nir

    from dalif_deploy.hw_models.chip_network.form import ChipNetwork

EXPORT_FORMAT = "dalif-deploy export 1"
EXPORT_JSON, REFERENCE_FILE, NETWORK_FILE, CHECKPOINT_FILE = "export.json", "model.nir", "network.nir", "model.pt"


@dataclass(repr=False)
class Artefact:
    """An exported network; what it has no file for raises an error that says how to get one.

    Each file is read and checked when it is first asked for, once; right after an export, not at all. One whose bytes
    are not those that export.json lists is refused: what the export found would not hold for it.
    """

    folder: Path
    export: dict[str, Any]
    _seen: set[str] = field(default_factory=set, repr=False, compare=False)

    @classmethod
    def written(
        cls, folder: Path, export: dict[str, Any], reference: nir.NIRGraph, network: ChipNetwork | None
    ) -> Artefact:
        """A folder that was just written, with what lies in it still in memory.

        Args:
            folder: where it stands.
            export: what export.json holds.
            reference: what model.nir holds.
            network: what network.nir holds; None if there is none.
        """
        artefact = cls(folder, export)
        artefact.__dict__["reference"] = reference  # where a cached property keeps its value
        if network is not None:
            artefact.__dict__["network"] = network
        return artefact

    def headline(self) -> list[tuple[str, str]]:
        """(what, figure) of what the export made, and what it warned of."""
        export = self.export
        rows = [("target", export["target"]), ("from", export.get("source", {}).get("file", "?"))]
        if export.get("chip"):
            rows.append(("chip", export["chip"]))
        layers = export.get("layers", [])
        if layers:
            kept = [layer["weight_sqnr_db"] for layer in layers if layer["weight_sqnr_db"] is not None]
            weights = f"{min(kept):.1f} dB or more" if kept else "exact"
            rows += [("layers", str(len(layers))), ("weights keep", weights)]
        rows.append(("time", f"{export['steps'] or '?'} steps of {export['dt']:g} s"))
        return rows + [("WARNING", line) for line in export.get("warnings", [])]

    def __repr__(self) -> str:
        shown = [f"{what} {figure}" for what, figure in self.headline() if what != "WARNING"]
        warnings = len(self.export.get("warnings", []))
        return f"<Artefact {self.folder}: {', '.join(shown)}{f', {warnings} warnings' if warnings else ''}>"

    def _repr_html_(self) -> str:
        return notebook_table(str(self.folder), self.headline())

    def to_dict(self) -> dict[str, Any]:
        """What export.json holds, in plain values."""
        return copy.deepcopy(self.export)

    @cached_property
    def network(self) -> ChipNetwork:
        """The compiled network."""
        from dalif_deploy.hw_models.chip_network.file import read_chip_network

        return read_chip_network(self.file(NETWORK_FILE, "has no compiled network", "export with --target lava"))

    @cached_property
    def reference(self) -> nir.NIRGraph:
        """The float network."""
        from .nir_file import read_nir

        return read_nir(self.file(REFERENCE_FILE, "has no float network", "export it again"))

    @property
    def checkpoint(self) -> Path:
        """The trained network's checkpoint."""
        return self.file(CHECKPOINT_FILE, "was not exported from a checkpoint", "use --engine nir")

    @property
    def compiled(self) -> bool:
        """True if there is a compiled network."""
        return (self.folder / NETWORK_FILE).is_file()

    @cached_property
    def network_sha256(self) -> str | None:
        """Of the compiled network, as export.json lists it; None if there is none."""
        if not self.compiled:
            return None
        stated: str | None = self.export.get("files", {}).get(NETWORK_FILE)  # earlier versions listed none
        return file_digest(self.folder / NETWORK_FILE) if stated is None else stated

    @property
    def steps(self) -> int | None:
        """Steps a sample; None if neither source nor command said."""
        steps: int | None = self.export["steps"]
        return steps

    @property
    def dt(self) -> float:
        """Time step of the float network in seconds."""
        return float(self.export["dt"])

    def file(self, name: str, what: str, remedy: str) -> Path:
        """A file of the folder, such as a target of its own wrote.

        Args:
            name: of the file.
            what: what is wrong if it is not there ("has no ONNX models").
            remedy: what to do then.

        Raises:
            UserError: it is not there, or was changed since.
        """
        path = self.folder / name
        stated = self.export.get("files", {}).get(name)  # earlier versions listed none
        if not path.is_file():
            if stated is not None:
                raise UserError("was removed since the export", where=str(path), remedy="export it again")
            raise UserError(what, where=str(self.folder), remedy=remedy)
        if name not in self._seen and stated is not None and file_digest(path) != stated:
            raise UserError(
                "has changed since the export (its SHA-256 differs from export.json)",
                where=str(path),
                remedy=f"export it again; dalif-inspect {self.folder} lists what changed",
            )
        self._seen.add(name)
        return path


def load_artefact(folder: str | Path) -> Artefact:
    """Opens an exported folder; its networks are read when asked for.

    Raises:
        UserError: not a folder that dalif-export wrote.
    """
    folder = Path(folder)
    path = folder / EXPORT_JSON
    if folder.is_file():
        raise UserError(
            "is a file, not an exported folder",
            where=str(folder),
            remedy=f"dalif-inspect {folder} says what it is; dalif-export turns it into one",
        )
    if not folder.is_dir() or not path.is_file():
        remedy = "write one with dalif-export"
        if (folder / CHECKPOINT_FILE).is_file():
            remedy = f"it holds a checkpoint, {folder / CHECKPOINT_FILE}: export that with dalif-export"
        raise UserError("not an exported network (no export.json)", where=str(folder), remedy=remedy)
    try:
        export = json.loads(path.read_text(encoding="utf-8"))
        if export["format"] != EXPORT_FORMAT:
            raise ValueError(f"format {export['format']!r}")
        if not (isinstance(export["target"], str) and 0 < float(export["dt"]) < float("inf")):
            raise ValueError("target or dt")
        if not (export["steps"] is None or (isinstance(export["steps"], int) and export["steps"] > 0)):
            raise ValueError("steps")
        if not isinstance(export.get("files", {}), dict):
            raise ValueError("files")
    except (ValueError, KeyError, TypeError, OSError, OverflowError, RecursionError) as error:
        raise UserError(
            f"export.json is damaged, or written by another version ({error})",
            where=str(folder),
            remedy="export it again",
        ) from error
    return Artefact(folder, export)
