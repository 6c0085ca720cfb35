"""dalif-simulate: an exported network over data, in one engine, checked against another."""

from __future__ import annotations

import sys
from enum import Enum
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer

from dalif_deploy.cli.command import (
    DebugOption,
    ForceOption,
    JsonOption,
    VersionOption,
    require_free_files,
    run_command,
    write_json,
)
from dalif_deploy.data.data_sets import NAMES


class CheckKind(str, Enum):
    """What an engine is held against."""

    counterpart = "counterpart"
    all = "all"


def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder that dalif-export wrote.")],
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME:SPLIT|FILE",
            help=f"Samples, for example digits:test; names: {NAMES}. Or a .npz, or an event camera's recording "
            "(.aedat4, .es, .raw, .dat).",
        ),
    ],
    engine: Annotated[str, typer.Option(help="fast, lava, torch, nir, norse, onnx, onnx-float or sanafe.")] = "fast",
    check: Annotated[
        CheckKind | None,
        typer.Option(
            help="Compare every layer with the engine's counterpart (fast with lava, torch with nir), or, with "
            "--check all, run all engines at hand against each other.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Use the first N samples.", min=1)] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of a sample, if not the exported ones.", min=1)] = None,
    record: Annotated[Path | None, typer.Option(help="Write spikes and membranes of every layer to this .npz.")] = None,
    window_ms: Annotated[float, typer.Option(help="Of a recording: milliseconds that make a sample.")] = 300.0,
    workers: Annotated[int, typer.Option(help="Lava: interpreters that share the samples.", min=1)] = 1,
    data_root: Annotated[str | None, typer.Option(help="Folder of the data sets.")] = None,
    step_limit: Annotated[float, typer.Option(help="Lava: seconds a step may take.")] = 60.0,
    total_limit: Annotated[float, typer.Option(help="Lava: seconds the whole run may take.")] = 3600.0,
    json_file: JsonOption = None,
    force: ForceOption = False,
    debug: DebugOption = False,
    version: VersionOption = False,
) -> None:
    """Run an exported network over data: accuracy, firing rates, mismatches between engines.

    Example: dalif-simulate exported --data digits:test --engine lava --check --limit 100
    """
    from dalif_deploy.simulation.session import SimulationRequest, run_simulation

    request = SimulationRequest(
        engine=engine,
        check=None if check is None else check.value,
        limit=limit,
        steps=steps,
        record=record,
        data_root=data_root,
        window_ms=window_ms,
        step_limit=step_limit,
        total_limit=total_limit,
        workers=workers,
        force=force,
    )
    from dalif_deploy.hw_models.errors import CheckFailed
    from dalif_deploy.reports.agreement_table import print_agreement
    from dalif_deploy.reports.simulation_table import print_simulation

    require_free_files(json_file, record, force=force)
    figures = run_simulation(folder, data, request)
    # the file first: it must not be lost when the tables' reader (head, less) goes away
    write_json(figures, json_file, force=force)
    printed = print_agreement if check is CheckKind.all else print_simulation
    printed(figures, stream=sys.stderr if json_file == "-" else sys.stdout)
    if check is CheckKind.all:
        if figures["bit_exact"] is False:
            raise CheckFailed("integer engines differ", where=str(folder), remedy="see the table")
        if not figures["checked"]:
            raise CheckFailed(
                "nothing was checked: the engines that ran have none of their kind beside them",
                where=str(folder),
                remedy="see above why the others did not run",
            )
    elif figures["check"] and figures["check"]["mismatches"]:
        raise CheckFailed(
            f"{figures['check']['mismatches']} mismatches; first: {figures['check']['first']}", where=str(folder)
        )


def main() -> None:
    """Entry point of the command."""
    run_command(simulate, arguments=with_check_kind(sys.argv[1:]))


def with_check_kind(arguments: list[str]) -> list[str]:
    """`--check` alone means `--check counterpart`; an option that may stand alone is nothing that typer knows."""
    spelt = []
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        alone = argument == "--check" and following not in [kind.value for kind in CheckKind]
        spelt += [argument, CheckKind.counterpart.value] if alone else [argument]
    return spelt
