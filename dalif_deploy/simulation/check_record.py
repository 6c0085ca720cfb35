"""The JSON of dalif-simulate --check, read again for the energy report of the same network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.energy.report.check import CheckedLayer, CheckRecord, HeldAgainst
from dalif_deploy.hw_models.errors import UserError

REMEDY = "write one with dalif-simulate FOLDER --data NAME:SPLIT --check all --json FILE"


def read_check(path: Path, artefact: Artefact) -> CheckRecord:
    """Reads what `dalif-simulate --check --json` wrote.

    Raises:
        UserError: no such file, no check, or one of another network.
    """
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
        network = figures["network_sha256"]
        record = _record(figures)
    except OSError as error:
        raise UserError(error.strerror or "can't be read", where=str(path), remedy=REMEDY) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError("holds no check of dalif-simulate", where=str(path), remedy=REMEDY) from error
    if network is None or network != artefact.network_sha256:
        raise UserError("is a check of another network", where=str(path), remedy=f"check {artefact.folder} itself")
    return record


def _record(figures: dict[str, Any]) -> CheckRecord:
    if "engines" in figures:
        integer = {name: row for name, row in figures["engines"].items() if row["arithmetic"] == "integer"}
        held = [
            HeldAgainst(
                engine=name,
                against=row["against"],
                compared=sum(row["compared"].values()),
                mismatches=sum(row["mismatches"].values()),
            )
            for name, row in integer.items()
            if row["against"]
        ]
        stress = figures["stress_samples"]
    else:
        check = figures["check"]
        stress = check["stress_samples"]
        compared = sum(check["compared"].values())
        held = [
            HeldAgainst(
                engine=figures["engine"], against=check["against"], compared=compared, mismatches=check["mismatches"]
            )
        ]
    coverage = figures["coverage"]
    if not held or not coverage["layers"]:
        raise ValueError("nothing was compared")
    return CheckRecord(
        data=figures["data"],
        samples=figures["samples"],
        stress_samples=stress,
        held=held,
        layers=[
            CheckedLayer(
                name=name,
                neurons=layer["neurons"],
                fired=layer["fired"],
                compared=layer["compared"],
                nonzero=layer["nonzero"],
                never_ran=[path for path, count in layer["paths"].items() if not count],
            )
            for name, layer in coverage["layers"].items()
        ],
        not_exercised=coverage["not_exercised"],
    )
