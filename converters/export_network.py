"""Exports a source to a target: read and compiled once, then the whole folder, or nothing."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path

from dalif_deploy.hw_models.chip_network.check import check_chip_network
from dalif_deploy.hw_models.chip_network.file import write_chip_network
from dalif_deploy.hw_models.errors import chosen
from dalif_deploy.hw_models.files.atomic import atomic_directory

from .artefact import CHECKPOINT_FILE, EXPORT_FORMAT, EXPORT_JSON, NETWORK_FILE, REFERENCE_FILE, Artefact
from .compile_source import Compiled, as_it_is, compile_source
from .export_request import ExportRequest
from .folder_files import folder_files
from .nir_file import write_nir
from .source import Source
from .sources import ReadRequest, load_source
from .targets import TARGETS
from .versions import installed_version

PROVENANCE = ("dalif-deploy", "torch", "nir", "numpy", "h5py", "lava-nc")


def export_network(
    source: object,
    target: str,
    out: str | Path,
    *,
    request: ExportRequest | None = None,
    dt: float | None = None,
    reset: str | None = None,
    force: bool = False,
    command: str | None = None,
) -> Artefact:
    """Writes `source` for `target` into the folder `out`.

    The files' bytes depend on source and request alone; only `provenance` of export.json, which nothing reads, says
    where and how they were made.

    Args:
        source: a `Source`, or what `load_source` takes: a path, or an object in memory.
        target: a name in `TARGETS`.
        request: the rest of what is asked for.
        dt: overrides the source's time step (seconds).
        reset: "zero" or "subtract", where the source does not say it.
        force: replaces an exported folder at `out` that holds no other files.
        command: how a person asked for it, for `provenance`.

    Returns:
        The folder, with what was written still in memory.

    Raises:
        UserError: unknown target, a source that can't be read, a network that the chip can't hold, `out` exists.
    """
    writer = chosen(TARGETS, target, "target")
    request = request or ExportRequest()
    if not isinstance(source, Source):
        source = load_source(source, ReadRequest(dt, reset=reset))
    with atomic_directory(out, EXPORT_JSON, force=force) as folder:
        writer.require()
        made = compile_source(source, request) if writer.compiles else as_it_is(source, request)
        compiled = writer.adapt(made)
        _write_common(compiled, folder)
        figures = {**compiled.figures, **writer.write(compiled, folder)}
        export = {
            "format": EXPORT_FORMAT,
            "target": target,
            "source": {"file": source.path.name, "sha256": source.sha256, "checkpoint": source.checkpoint},
            "dt": source.dt,
            "dt_from": source.dt_from,
            **figures,
            **({} if source.verification is None else {"verification": source.verification.to_dict()}),
            **({} if source.rewrite_cost is None else {"rewrite": source.rewrite_cost.to_dict()}),
            "files": folder_files(folder),
            "provenance": {
                "command": command,
                "versions": {
                    "python": platform.python_version(),
                    **{name: installed_version(name) for name in PROVENANCE},
                },
            },
        }
        (folder / EXPORT_JSON).write_text(json.dumps(export, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return Artefact.written(Path(out), export, source.graph, compiled.integers)


def _write_common(compiled: Compiled, folder: Path) -> None:
    """What every folder has, whatever the target."""
    write_nir(folder / REFERENCE_FILE, compiled.source.graph)
    if compiled.source.checkpoint:
        shutil.copyfile(compiled.source.path, folder / CHECKPOINT_FILE)
    if compiled.integers is not None:
        check_chip_network(compiled.integers, str(compiled.source.path))
        write_chip_network(folder / NETWORK_FILE, compiled.integers)
