"""dalif-energy: what one inference costs, counted exactly and priced with constants that name their source."""

from __future__ import annotations

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
from dalif_deploy.hw_models.devices import CHOICES


def _print_schema(asked: bool) -> None:
    if asked:
        import json

        from dalif_deploy.hw_models.energy.report import report_schema

        print(json.dumps(report_schema(), indent=2))
        raise typer.Exit


def energy(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="Folder written by dalif-export. For --sweep also a checkpoint, a NIR graph or zoo:NAME.",
        ),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="MORE", help="Further settings of --sweep, or further reports of --compare."),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="NAME:SPLIT|FILE.npz", help="Samples to count events on.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="Use only the first N samples.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Samples to simulate at a time.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help=f"Where to simulate: {CHOICES}.")] = "cpu",
    data_root: Annotated[
        Path | None, typer.Option("--data-root", metavar="DIR", help="Folder with the data sets.")
    ] = None,
    sanafe: Annotated[
        int | None, typer.Option("--sanafe", min=1, metavar="N", help="Also count N samples in SANA-FE, and compare.")
    ] = None,
    check_file: Annotated[
        Path | None,
        typer.Option(
            "--check", metavar="FILE", help="Show this result of dalif-simulate --check --json in the report."
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare", metavar="A.json B.json", help="Show reports written by --json side by side; nothing is run."
        ),
    ] = None,
    measure_only: Annotated[
        bool,
        typer.Option("--measure-only", help="Only measure this machine's GPU and processor; needs --json."),
    ] = False,
    measured_file: Annotated[
        Path | None,
        typer.Option("--measured", metavar="FILE", help="Use what --measure-only wrote on another machine."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Compare with a ReLU network of dalif-train --neuron relu."),
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one HTML page.")
    ] = None,
    json_file: JsonOption = None,
    details: DetailsOption = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="KEY=V1,V2",
            help="Export, run and price every combination of weight-bits, steps, chip, scale-group and input.",
        ),
    ] = None,
    plot_file: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="For --sweep: draw the Pareto front (.png, .svg or .pdf)."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, metavar="N", help="For --sweep: processes; by default one per core."),
    ] = None,
    cluster: ClusterOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --sweep and --json: keep the points that are done already.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", is_eager=True, callback=_print_schema, help="Print the JSON schema and exit.")
    ] = False,
    force: ForceOption = False,
    debug: DebugOption = False,
    version: VersionOption = False,
) -> None:
    """Energy of an exported network: exact counts, Loihi and 45 nm models, GPU baseline.

    Example: dalif-energy runs/digits/loihi1 --data digits:test --limit 200 --json energy.json

    On a machine with a GPU: dalif-energy runs/digits/loihi1 --data digits:test --measure-only --json gpu.json.
    Then --measured gpu.json adds these figures to a report on any machine.

    Sweep: dalif-energy model.pt --data digits:test --sweep weight-bits=4,6,8 steps=1,2,4 chip=loihi1,loihi2

    Side by side: dalif-energy --compare loihi1.json loihi2.json --html both.html
    """
    from dalif_deploy.cli.energy_measure import refuse_with_measuring, run_measurement
    from dalif_deploy.cli.energy_sweep import refuse_unsuited, run_sweep, split_words, sweep_result
    from dalif_deploy.hw_models.errors import UserError

    words = [word for word in (source, *(more or [])) if word is not None]
    if compare is not None:
        from dalif_deploy.cli.energy_compare import run_comparison

        unsuited = {"--data": data, "--sweep": sweep, "--sanafe": sanafe, "--check": check_file, "--limit": limit}
        run_comparison([compare, *words], unsuited, html_file=html_file, json_file=json_file, force=force)
        return
    if data is None:
        raise UserError("no samples are given", remedy="give --data NAME:SPLIT, for example --data digits:test")
    folder, settings = split_words(words, sweep)
    without = {
        "--baseline": baseline,
        "--html": html_file,
        "--sanafe": sanafe,
        "--check": check_file,
        "--measure-only": measure_only or None,
        "--measured": measured_file,
    }
    refuse_unsuited(settings, without, {"--plot": plot_file, "--workers": workers, "--resume": resume or None})
    if measure_only:
        refuse_with_measuring({name: value for name, value in without.items() if name != "--measure-only"}, json_file)
    require_free_files(json_file, html_file, plot_file, force=force)

    if settings:
        from dalif_deploy.exploration.explore import Exploration
        from dalif_deploy.exploration.grid import parse_sweep

        result = sweep_result(json_file, resume=resume)
        if workers is not None and cluster is not None:
            raise UserError("--workers and --cluster both say where points run", remedy="give one of them")
        asked = Exploration(
            source=folder,
            data=data,
            values=parse_sweep(settings),
            limit=limit,
            batch_size=batch_size,
            data_root=data_root,
            workers=workers,
            cluster=cluster,
            device=device,
            result=result,
            resume=resume,
            force=force,
        )
        run_sweep(asked, json_file=json_file, plot_file=plot_file, force=force, debug=debug)
        return

    from rich.console import Console

    from dalif_deploy.converters.artefact import load_artefact
    from dalif_deploy.data import load_data
    from dalif_deploy.data.nir_data_file import is_nir_data
    from dalif_deploy.hw_models.energy.opponents.elsewhere import read_measured
    from dalif_deploy.hw_models.progress import told
    from dalif_deploy.hw_models.progress_bars import shown_progress
    from dalif_deploy.hw_models.samples.input_data import take_samples
    from dalif_deploy.reports.energy_screen import print_energy_screen
    from dalif_deploy.reports.energy_table import print_energy_report
    from dalif_deploy.simulation.check_record import read_check
    from dalif_deploy.simulation.energy_session import (
        compared_at_equal_accuracy,
        compared_with_sanafe,
        report_on_samples,
    )
    from dalif_deploy.simulation.nir_samples import nir_file_samples

    artefact = load_artefact(folder)
    check = None if check_file is None else read_check(check_file, artefact)
    from_nir = is_nir_data(data)
    samples = nir_file_samples(artefact, data) if from_nir else load_data(data, data_root, steps=artefact.network.steps)
    inputs = take_samples(samples.inputs, slice(limit))
    if measure_only:
        run_measurement(artefact, inputs, data=data, name=str(folder), json_file=json_file, force=force)
        return
    elsewhere = None if measured_file is None else read_measured(measured_file)
    done = 0

    def counted(batch: int, total: int) -> None:
        nonlocal done
        done += batch
        told("counting, samples", done, total)

    with shown_progress():
        report, does_not_fit = report_on_samples(
            artefact,
            inputs,
            data=data,
            name=str(folder),
            batch_size=batch_size,
            progress=counted,
            device=device,
            elsewhere=elsewhere,
            cluster=cluster,
        )
    if check is not None:
        report = report.model_copy(update={"check": check})
    if sanafe:
        with shown_progress():
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


def main() -> None:
    """Entry point of dalif-energy."""
    run_command(energy)


if __name__ == "__main__":
    main()
