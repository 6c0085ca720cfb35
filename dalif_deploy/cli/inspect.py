"""dalif-inspect: what a file or folder holds, and what would stop its export."""

from __future__ import annotations

import sys
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


def inspect(
    thing: Annotated[
        Path,
        typer.Argument(help="A checkpoint or zoo:NAME, a NIR graph, a .net file, or a folder written by dalif-export."),
    ],
    dt: Annotated[float | None, typer.Option(help="Time step in seconds; overrides the graph's.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Time steps per sample, if the network does not say.", min=1)
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Draw the graph as one HTML page.")
    ] = None,
    json_file: JsonOption = None,
    force: ForceOption = False,
    debug: DebugOption = False,
    version: VersionOption = False,
) -> None:
    """Inspect a network: layers, neurons, time step, size on each chip, and what would prevent an export.

    Example: dalif-inspect net.nir --dt 1e-4 --html graph.html
    """
    from rich.console import Console

    from dalif_deploy.hw_models.progress_bars import shown_progress
    from dalif_deploy.inspection import inspect_thing
    from dalif_deploy.reports.inspect_table import print_inspection
    from dalif_deploy.zoo import zoo_file

    require_free_files(html_file, json_file, force=force)
    with shown_progress():
        facts = inspect_thing(zoo_file(thing), dt=dt, steps=steps)
    if html_file is not None:
        from dalif_deploy.reports.inspect_page import write_inspect_page

        write_inspect_page(facts, html_file, force=force)
    write_json(facts, json_file, force=force)
    print_inspection(facts, Console(file=sys.stderr if json_file == "-" else sys.stdout))


def main() -> None:
    """Entry point of the command."""
    run_command(inspect)
