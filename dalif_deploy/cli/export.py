"""dalif-export: a trained network to NIR or to the integers of a chip."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from dalif_deploy.converters.sources import ReadRequest, file_sources, load_source
from dalif_deploy.converters.targets import TARGETS
from dalif_deploy.hw_models.chips.names import DEFAULT_CHIP, either_chip
from dalif_deploy.hw_models.errors import chosen, listed

if TYPE_CHECKING:
    from dalif_deploy.converters.export_request import CalibrationData


def export(
    model: Annotated[
        Path,
        typer.Argument(
            help=f"What to export: {listed(file_sources())}. Or FILE.py:NAME or package.module:NAME, a function, class "
            "or module in your own code; this runs your code. Or zoo:NAME, a trained network of dalif-train --list."
        ),
    ],
    target: Annotated[str, typer.Option(help=f"What to write: {listed(TARGETS)}.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")],
    chip: Annotated[
        str | None,
        typer.Option(
            help=f"{either_chip()}; by default the chip it was trained for with --quantize, else {DEFAULT_CHIP}."
        ),
    ] = None,
    input_mode: Annotated[
        str | None,
        typer.Option("--input", help="How the input enters: bias, graded or spikes; the default depends on the chip."),
    ] = None,
    input_range: Annotated[
        str | None,
        typer.Option(
            metavar="MIN,MAX",
            help="Lowest and highest value in the data; by default those of the training data, else 0,1.",
        ),
    ] = None,
    weight_bits: Annotated[
        int | None,
        typer.Option(help="Bits per weight with its sign, 1 to 8; by default those of the training, else 8."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Time steps per sample, if the model does not say.")] = None,
    dt: Annotated[float | None, typer.Option(help="Time step in seconds; overrides the graph's.")] = None,
    reset: Annotated[
        str | None,
        typer.Option(help="What a spike does to the membrane, if the graph does not say: zero or subtract."),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(metavar="NAME:SPLIT|FILE.npz", help="Choose scales on these samples; use training data."),
    ] = None,
    calibrate_samples: Annotated[int, typer.Option(help="With --calibrate: how many samples.", min=1)] = 64,
    scale: Annotated[
        str | None,
        typer.Option(
            help="worst (default): nothing can overflow. With --calibrate also error, its default, which clips weights "
            "where that makes currents more accurate, and percentile, which covers the 99.9th percentile."
        ),
    ] = None,
    scale_group: Annotated[
        str | None,
        typer.Option(help="One scale per layer or per channel; by default as it was trained, else layer."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="For FILE.py:NAME: its state_dict, saved with torch.save.")
    ] = None,
    example: Annotated[
        str | None,
        typer.Option(metavar="NAME:SPLIT|FILE.npz", help="For FILE.py:NAME: samples to run and verify it on."),
    ] = None,
    time_axis: Annotated[
        int | None, typer.Option(help="For FILE.py:NAME: the example's time axis; 1 for [N, T, ...].")
    ] = None,
    rewrite: Annotated[
        list[str] | None,
        typer.Option(
            help="For FILE.py:NAME: replace max pools over currents; max-pool=after-spikes or max-pool=average."
        ),
    ] = None,
    ram: Annotated[int | None, typer.Option(help="Target c: fail if it needs more bytes of RAM.", min=0)] = None,
    flash: Annotated[int | None, typer.Option(help="Target c: fail if it needs more bytes of flash.", min=0)] = None,
    data_root: Annotated[str | None, typer.Option(help="Folder with the data sets.")] = None,
    json_file: JsonOption = None,
    details: DetailsOption = False,
    force: ForceOption = False,
    debug: DebugOption = False,
    version: VersionOption = False,
) -> None:
    """Export a trained network, and print what quantisation did to each layer.

    Example: dalif-export runs/x/model.pt --target lava --chip loihi2 -o exported
    """
    from dalif_deploy.converters.capture.user_code import names_user_code
    from dalif_deploy.converters.export_network import export_network
    from dalif_deploy.converters.export_request import ExportRequest
    from dalif_deploy.hw_models.compiler.scale_problem import scale_rule
    from dalif_deploy.hw_models.errors import UserError
    from dalif_deploy.hw_models.progress_bars import shown_progress
    from dalif_deploy.reports.export_screen import print_export_screen
    from dalif_deploy.reports.export_table import print_export
    from dalif_deploy.zoo import zoo_file

    chosen(TARGETS, target, "target")
    model = zoo_file(model)
    require_free_files(json_file, force=force, out=out)
    if target != "c" and (ram is not None or flash is not None):
        raise UserError("--ram and --flash are for a microcontroller", remedy="give --target c")
    with shown_progress():
        if names_user_code(str(model)):
            from dalif_deploy.cli.user_network import user_network

            source = user_network(
                str(model), weights=weights, example=example, data_root=data_root, steps=steps, time_axis=time_axis,
                rewrite=rewrite or [],
            )  # fmt: skip
        else:
            of_code = {
                "--weights": weights,
                "--example": example,
                "--time-axis": time_axis,
                "--rewrite": rewrite or None,
            }
            if unsuited := [option for option, given in of_code.items() if given is not None]:
                what = f"{listed(unsuited)}: for a network in your own code, and {model} is a file"
                raise UserError(what, remedy="leave it out, or name FILE.py:NAME")
            source = load_source(model, ReadRequest(dt, reset=reset))
    data = None if calibrate is None else _calibration(calibrate, calibrate_samples, data_root, steps or source.steps)
    rule = None
    if scale is not None or scale_group is not None:
        rule = scale_rule(scale or ("worst" if calibrate is None else "error"), scale_group or "layer")
    request = ExportRequest(
        chip=chip,
        steps=steps,
        input_mode=input_mode,
        weight_bits=weight_bits,
        scale_rule=rule,
        calibration=data,
        ram=ram,
        flash=flash,
        input_range=None if input_range is None else _range(input_range),
    )
    command = shlex.join(["dalif-export", *sys.argv[1:]])
    with shown_progress():
        artefact = export_network(source, target, out, request=request, force=force, command=command)
    # the file first: it must not be lost when the tables' reader (head, less) goes away
    write_json(artefact.export, json_file, force=force)
    printed = print_export if details else print_export_screen
    printed(artefact, stream=sys.stderr if json_file == "-" else sys.stdout)


def _calibration(spec: str, samples: int, data_root: str | None, steps: int | None) -> CalibrationData:
    from dalif_deploy.converters.export_request import CalibrationData
    from dalif_deploy.data import load_data
    from dalif_deploy.hw_models.samples.input_data import take_samples

    data = load_data(spec, data_root, steps=steps)
    return CalibrationData(spec, take_samples(data.inputs, slice(samples)))


def _range(text: str) -> tuple[float, float]:
    from dalif_deploy.hw_models.errors import UserError

    try:
        low, high = map(float, text.split(","))
        if not -float("inf") < low < high < float("inf"):
            raise ValueError
    except ValueError as error:
        raise UserError(
            f"{text!r} is not a range", where="--input-range", remedy="write, for example, 0,255"
        ) from error
    return low, high


def main() -> None:
    """Entry point of the command."""
    run_command(export)
