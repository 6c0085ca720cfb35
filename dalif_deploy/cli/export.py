"""dalif-export: a trained network to NIR or to the integers of a chip."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from dalif_deploy.cli.command import DebugOption, ForceOption, JsonOption, run_command, write_json


def export(
    model: Annotated[Path, typer.Argument(help="A checkpoint of dalif-train, a NIR graph, or a .net file of lava-dl.")],
    target: Annotated[str, typer.Option(help="nir, lava, c, onnx, norse, netx or sanafe.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    chip: Annotated[
        str | None, typer.Option(help="loihi1 or loihi2 (default, but for a network trained with --quantize).")
    ] = None,
    input_mode: Annotated[
        str | None,
        typer.Option("--input", help="bias, graded or spikes; by default bias (loihi1) or graded (loihi2) for images."),
    ] = None,
    weight_bits: Annotated[
        int | None, typer.Option(help="Bits of a weight, sign included, 1 to 8; 8, or what it was trained with.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of a sample, where the model does not say.")] = None,
    dt: Annotated[float | None, typer.Option(help="Time step in seconds; overrides the graph's own.")] = None,
    calibrate: Annotated[
        str | None, typer.Option(metavar="NAME:SPLIT|FILE.npz", help="Choose scales by these samples (training data).")
    ] = None,
    calibrate_samples: Annotated[int, typer.Option(help="How many of them.", min=1)] = 64,
    scale: Annotated[
        str | None,
        typer.Option(
            help="worst: nothing can overflow (default). With --calibrate: error (default there) clips weights where "
            "that makes currents most accurate; percentile covers weights and ranges up to the 99.9th."
        ),
    ] = None,
    scale_group: Annotated[
        str | None,
        typer.Option(help="One scale a layer or channel; layer, or what it was trained with, by default."),
    ] = None,
    ram: Annotated[int | None, typer.Option(help="Target c: bytes of RAM that the network must fit.", min=0)] = None,
    flash: Annotated[int | None, typer.Option(help="Target c: bytes of flash that it must fit.", min=0)] = None,
    data_root: Annotated[str | None, typer.Option(help="Folder of the data sets.")] = None,
    json_file: JsonOption = None,
    force: ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Export a trained network, and print what quantisation did to each layer.

    Example: dalif-export runs/x/model.pt --target lava --chip loihi2 -o exported
    """
    from dalif_deploy.converters.export import export_network
    from dalif_deploy.converters.targets.request import ExportRequest
    from dalif_deploy.hw_models.compiler.scale_problem import scale_rule
    from dalif_deploy.hw_models.errors import UserError
    from dalif_deploy.reports.export_table import print_export

    if target != "c" and (ram is not None or flash is not None):
        raise UserError("--ram and --flash are for a microcontroller", remedy="give --target c")
    data = None if calibrate is None else _calibration(calibrate, calibrate_samples, data_root, steps, model)
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
    )
    command = shlex.join(["dalif-export", *sys.argv[1:]])
    artefact = export_network(model, target, out, request=request, dt=dt, force=force, command=command)
    # the file first: it must not be lost when the tables' reader (head, less) goes away
    write_json(artefact.export, json_file, force=force)
    print_export(artefact, stream=sys.stderr if json_file == "-" else sys.stdout)


def _calibration(spec: str, samples: int, data_root: str | None, steps: int | None, model: Path):
    from dalif_deploy.converters.source import load_source
    from dalif_deploy.converters.targets.request import CalibrationData
    from dalif_deploy.data import load_data
    from dalif_deploy.hw_models.input_data import take_samples

    data = load_data(spec, data_root, steps=steps or load_source(model).steps)
    return CalibrationData(spec, take_samples(data.inputs, slice(samples)))


def main() -> None:
    """Entry point of the command."""
    run_command(export)
