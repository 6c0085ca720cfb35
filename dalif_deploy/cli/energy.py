"""dalif-energy: what one inference costs, counted exactly and priced with constants that name their source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dalif_deploy.cli.command import (
    DebugOption,
    DetailsOption,
    ForceOption,
    JsonOption,
    VersionOption,
    require_free_files,
    run_command,
    write_json,
)


def _print_schema(asked: bool) -> None:
    if asked:
        import json

        from dalif_deploy.hw_models.energy.report import report_schema

        print(json.dumps(report_schema(), indent=2))
        raise typer.Exit


def energy(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Folder of dalif-export --target lava; to sweep, or a checkpoint.")
    ],
    data: Annotated[str, typer.Option("--data", metavar="NAME:SPLIT|FILE.npz", help="Samples to count over.")],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=V1,V2", help="After --sweep, its further settings.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N samples.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Samples simulated at a time.")] = None,
    data_root: Annotated[
        Path | None, typer.Option("--data-root", metavar="DIR", help="Where data sets are kept.")
    ] = None,
    sanafe: Annotated[
        int | None, typer.Option("--sanafe", min=1, metavar="N", help="Count N samples in SANA-FE too, and compare.")
    ] = None,
    measure_only: Annotated[
        bool,
        typer.Option("--measure-only", help="Only measure this machine's GPU and processor; write it with --json."),
    ] = False,
    measured_file: Annotated[
        Path | None, typer.Option("--measured", metavar="FILE", help="Take what --measure-only wrote elsewhere.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Compare with a ReLU network of dalif-train --neuron relu."),
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one page for a browser.")
    ] = None,
    json_file: JsonOption = None,
    details: DetailsOption = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="KEY=V1,V2",
            help="Export, run and price every combination of weight-bits, steps, chip, scale-group, input.",
        ),
    ] = None,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Of a sweep: draw the front (.png, .svg or .pdf).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, metavar="N", help="Of a sweep: processes; as many as cores.")
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", is_eager=True, callback=_print_schema, help="Print the JSON's schema and end.")
    ] = False,
    force: ForceOption = False,
    debug: DebugOption = False,
    version: VersionOption = False,
) -> None:
    """Energy of an exported network: exact counts, Loihi and 45 nm models, GPU baseline.

    Example: dalif-energy runs/digits/loihi1 --data digits:test --limit 200 --json energy.json

    On a machine with a GPU: dalif-energy runs/digits/loihi1 --data digits:test --measure-only --json gpu.json;
    its file joins the report elsewhere by --measured gpu.json

    Sweep: dalif-energy model.pt --data digits:test --sweep weight-bits=4,6,8 steps=1,2,4 chip=loihi1,loihi2
    """
    from dalif_deploy.cli.energy_measure import refuse_with_measuring, run_measurement
    from dalif_deploy.cli.energy_sweep import refuse_unsuited, run_sweep, split_words

    folder, settings = split_words([source, *(more or [])], sweep)
    for_one = {
        "--baseline": baseline,
        "--html": html_file,
        "--sanafe": sanafe,
        "--measure-only": measure_only or None,
        "--measured": measured_file,
    }
    refuse_unsuited(settings, for_one, {"--plot": plot_file, "--workers": workers})
    if measure_only:
        refuse_with_measuring({name: given for name, given in for_one.items() if name != "--measure-only"}, json_file)
    _refuse_one_file_for_both(html_file, json_file)
    require_free_files(json_file, html_file, plot_file, force=force)

    if settings:
        from dalif_deploy.exploration.explore import Exploration
        from dalif_deploy.exploration.grid import parse_sweep

        asked = Exploration(folder, data, parse_sweep(settings), limit, batch_size, data_root, workers)
        run_sweep(asked, json_file=json_file, plot_file=plot_file, force=force, debug=debug)
        return

    from rich.console import Console
    from rich.progress import Progress

    from dalif_deploy.converters.artefact import load_artefact
    from dalif_deploy.data import load_data
    from dalif_deploy.hw_models.energy.opponents.elsewhere import read_measured
    from dalif_deploy.hw_models.samples.input_data import take_samples
    from dalif_deploy.reports.energy_screen import print_energy_screen
    from dalif_deploy.reports.energy_table import print_energy_report
    from dalif_deploy.simulation.energy_session import (
        compared_at_equal_accuracy,
        compared_with_sanafe,
        report_on_samples,
    )

    artefact = load_artefact(folder)
    samples = load_data(data, data_root, steps=artefact.network.steps)
    inputs = take_samples(samples.inputs, slice(limit))
    if measure_only:
        run_measurement(artefact, inputs, data=data, name=str(folder), json_file=json_file, force=force)
        return
    elsewhere = None if measured_file is None else read_measured(measured_file)
    progress_console = Console(stderr=True)
    with Progress(console=progress_console, transient=True, disable=not progress_console.is_terminal) as progress:
        task = progress.add_task("counting", total=None)
        report, does_not_fit = report_on_samples(
            artefact,
            inputs,
            data=data,
            name=str(folder),
            batch_size=batch_size,
            elsewhere=elsewhere,
            progress=lambda done, total: progress.update(task, advance=done, total=total),
        )
    if sanafe:
        compared = compared_with_sanafe(artefact, take_samples(inputs, slice(sanafe)))
        report = report.model_copy(update={"sanafe": compared})
    if baseline is not None:
        labels = None if samples.labels is None else samples.labels[slice(limit)]
        beside = compared_at_equal_accuracy(artefact, inputs, labels, baseline, report)
        report = report.model_copy(update={"equal_accuracy": beside})
    if html_file is not None:
        from dalif_deploy.reports.energy_page import write_energy_page

        write_energy_page(report, html_file, force=force)
    # the file first: it must not be lost when the tables' reader (head, less) goes away
    write_json(report.to_dict(), json_file, force=force)
    # tables go where they do not mix with JSON on standard output
    console = Console(stderr=json_file == "-")
    if details:
        print_energy_report(report, console)
    else:
        print_energy_screen(report, console)
    if does_not_fit:
        raise does_not_fit


def _refuse_one_file_for_both(html_file: Path | None, json_file: str | None) -> None:
    from dalif_deploy.hw_models.errors import UserError

    if html_file is not None and json_file is not None and html_file.absolute() == Path(json_file).absolute():
        raise UserError("--html and --json name the same file", where=json_file, remedy="give each its own")


def main() -> None:
    """Entry point of dalif-energy."""
    run_command(energy)


if __name__ == "__main__":
    main()
