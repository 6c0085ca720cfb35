"""dalif-simulate: an exported network over data, in one engine, checked against another."""

from __future__ import annotations

import sys
from enum import Enum
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer

from dalif_deploy.cli.command import (
    ClusterOption,
    DebugOption,
    DetailsOption,
    ForceOption,
    JsonOption,
    VersionOption,
    require_free_files,
    run_command,
    write_json,
)
from dalif_deploy.cli.engine_flags import with_engine_flags
from dalif_deploy.data.data_sets import NAMES
from dalif_deploy.hw_models.errors import listed
from dalif_deploy.simulation.arithmetic import ARITHMETICS
from dalif_deploy.simulation.engines import ENGINES

COUNTERPARTS = ", ".join(dict.fromkeys(f"{kind.reference} with {kind.second}" for kind in ARITHMETICS.values()))


class CheckKind(str, Enum):
    """What an engine is held against."""

    counterpart = "counterpart"
    all = "all"


def simulate(
    folder: Annotated[Path, typer.Argument(help="Folder written by dalif-export.")],
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME:SPLIT|FILE",
            help=f"Samples, for example digits:test. Names: {NAMES}. Or a file: .npz, NIR data (.h5), "
            "or a recording of an event camera (.aedat4, .es, .raw, .dat).",
        ),
    ],
    engine: Annotated[str, typer.Option(help=f"What runs the network: {listed(ENGINES)}.")] = "fast",
    check: Annotated[
        CheckKind | None,
        typer.Option(
            help=f"Compare every layer with the engine's counterpart ({COUNTERPARTS}). "
            "--check all runs every engine at hand and compares them all.",
        ),
    ] = None,
    stress: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="With --check: add N samples, searched for, that make silent neurons fire and reach thresholds, "
            "limits and decays that the data does not reach.",
            min=0,
        ),
    ] = 0,
    limit: Annotated[int | None, typer.Option(help="Use only the first N samples.", min=1)] = None,
    steps: Annotated[
        int | None, typer.Option(help="Time steps per sample; by default those of the export.", min=1)
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Write every layer's spikes and membranes: FILE.npz, or FILE.h5 for NIR data."),
    ] = None,
    window_ms: Annotated[float, typer.Option(help="For a recording: milliseconds per sample.")] = 300.0,
    data_root: Annotated[str | None, typer.Option(help="Folder with the data sets.")] = None,
    cluster: ClusterOption = None,
    json_file: JsonOption = None,
    details: DetailsOption = False,
    force: ForceOption = False,
    debug: DebugOption = False,
    version: VersionOption = False,
    *,
    options: dict[str, object],
) -> None:
    """Run an exported network over data: accuracy, firing rates, mismatches between engines.

    Example: dalif-simulate exported --data digits:test --engine lava --check --limit 100
    """
    from dalif_deploy.converters.artefact import load_artefact
    from dalif_deploy.hw_models.errors import CheckFailed
    from dalif_deploy.reports.agreement_table import print_agreement
    from dalif_deploy.reports.simulation_screen import print_agreement_screen, print_simulation_screen
    from dalif_deploy.reports.simulation_table import print_simulation
    from dalif_deploy.simulation.agreement import Agreement
    from dalif_deploy.simulation.coverage import require_proof
    from dalif_deploy.simulation.one_engine import SimulationResult
    from dalif_deploy.simulation.session import SimulationRequest, run_simulation

    request = SimulationRequest(
        engine=engine,
        check=None if check is None else check.value,
        stress=stress,
        limit=limit,
        steps=steps,
        record=record,
        data_root=data_root,
        window_ms=window_ms,
        options=options,
        force=force,
        cluster=cluster,
    )
    require_free_files(json_file, record, force=force)
    artefact = load_artefact(folder)
    name, result = run_simulation(artefact, data, request)
    figures = {"data": name, "network_sha256": artefact.network_sha256, **result.to_dict()}
    if isinstance(result, SimulationResult) and result.accuracy is not None:
        figures["predicted"] = None  # with labels the accuracy says it
    # the file first: it must not be lost when the tables' reader (head, less) goes away
    write_json(figures, json_file, force=force)
    if isinstance(result, Agreement):
        printed = print_agreement if details else print_agreement_screen
    else:
        printed = print_simulation if details else print_simulation_screen
    printed(figures, stream=sys.stderr if json_file == "-" else sys.stdout)
    if isinstance(result, SimulationResult):
        if result.check is not None and result.check.first is not None:
            what = f"{result.check.total_mismatches} mismatches; first: {result.check.first}"
            raise CheckFailed(what, where=str(folder))
        if result.coverage is not None:
            require_proof(result.coverage, str(folder))
        return
    if result.bit_exact is False:
        raise CheckFailed(
            f"integer engines differ; first: {result.first_mismatch}", where=str(folder), remedy="see the table"
        )
    if not result.checked:
        raise CheckFailed(
            "nothing was checked: no two engines of the same kind ran",
            where=str(folder),
            remedy="see above why the others did not run",
        )
    require_proof(result.coverage, str(folder))


def main() -> None:
    """Entry point of the command."""
    run_command(with_engine_flags(simulate), arguments=with_check_kind(sys.argv[1:]))


def with_check_kind(arguments: list[str]) -> list[str]:
    """`--check` alone means `--check counterpart`; an option that may stand alone is nothing that typer knows."""
    spelt = []
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        alone = argument == "--check" and following not in [kind.value for kind in CheckKind]
        spelt += [argument, CheckKind.counterpart.value] if alone else [argument]
    return spelt
