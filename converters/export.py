"""Exports a source to a target: the whole folder, or nothing."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_directory

from .artefact import EXPORT_FORMAT, EXPORT_JSON, Artefact
from .source import Source, load_source
from .targets import TARGETS, ExportRequest
from .versions import installed_version

PROVENANCE = ("dalif-deploy", "torch", "nir", "numpy", "h5py", "lava-nc")


def export_network(
    source: str | Path | Source,
    target: str,
    out: str | Path,
    *,
    request: ExportRequest | None = None,
    dt: float | None = None,
    reset: str | None = None,
    force: bool = False,
    command: str | None = None,
) -> Artefact:
    """Writes `source` (a checkpoint, a NIR file, or one already loaded) for `target` into the folder `out`.

    The files' bytes depend on source and request alone; only `provenance` of export.json, which nothing reads, says
    where and how they were made.

    Args:
        request: the rest of what is asked for.
        dt: overrides the source's time step (seconds).
        reset: "zero" or "subtract", where the source does not say it.
        force: replaces what stands at `out`.
        command: how a person asked for it, for `provenance`.

    Raises:
        UserError: unknown target, a source that can't be read, a network that the chip can't hold, `out` exists.
    """
    if target not in TARGETS:
        raise UserError(f"unknown target {target!r}", remedy=f"choose one of {', '.join(TARGETS)}")
    request = request or ExportRequest()
    if not isinstance(source, Source):
        source = load_source(source, dt=dt, reset=reset)
    with atomic_directory(out, force=force) as folder:
        figures = TARGETS[target](source, request, folder)
        export = {
            "format": EXPORT_FORMAT,
            "target": target,
            "source": {"file": source.path.name, "sha256": source.sha256, "checkpoint": source.checkpoint},
            "dt": source.dt,
            "dt_from": source.dt_from,
            **figures,
            "provenance": {
                "command": command,
                "versions": {
                    "python": platform.python_version(),
                    **{name: installed_version(name) for name in PROVENANCE},
                },
            },
        }
        (folder / EXPORT_JSON).write_text(json.dumps(export, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return Artefact(Path(out), export)
