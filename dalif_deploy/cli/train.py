"""dalif-train: a DA-LIF network from images to a checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dalif_deploy.cli.command import DebugOption, ForceOption, JsonOption, SeedOption, run_command, write_json


def train(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write: model.pt and metrics.json.")],
    dataset: Annotated[str, typer.Option(help="digits (in the package) or fashion-mnist.")] = "digits",
    arch: Annotated[str, typer.Option(help="cnn or resnet.")] = "cnn",
    steps: Annotated[int, typer.Option(help="Time steps T of a sample.")] = 4,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data; the data set's own by default.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Largest learning rate.")] = None,
    channels: Annotated[str | None, typer.Option(help="Channels a block, for example 16,32.")] = None,
    strides: Annotated[str | None, typer.Option(help="Stride a block, for example 1,2; 2 halves the image.")] = None,
    activation: Annotated[str, typer.Option(help="Bound of the decays: tanh, sigmoid or clamp.")] = "tanh",
    learn: Annotated[str, typer.Option(help="Decays to learn: both, spatial, temporal or none.")] = "both",
    reset: Annotated[str, typer.Option(help="zero or subtract.")] = "zero",
    surrogate: Annotated[str, typer.Option(help="atan, sigmoid, triangle or rectangle.")] = "atan",
    data_root: Annotated[str | None, typer.Option(help="Folder of the data sets.")] = None,
    seed: SeedOption = 0,
    json_file: JsonOption = None,
    force: ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a DA-LIF network.

    Example: dalif-train --dataset digits --arch cnn --steps 4 --out runs/x
    """
    from pydantic import ValidationError

    from dalif_deploy.training import TrainConfig
    from dalif_deploy.training import train as run
    from dalif_deploy.training.config import DEFAULTS
    from hw_models.errors import UserError

    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "channels": _numbers(channels, "--channels"),
        "strides": _numbers(strides, "--strides"),
    }
    options = {**DEFAULTS.get(dataset, DEFAULTS["digits"]), **{k: v for k, v in given.items() if v is not None}}
    if channels is not None and strides is None:
        first = options["strides"][0]
        options["strides"] = [first] + [2] * (len(options["channels"]) - 1)
    neuron = {"activation": activation, "learn": learn, "reset": reset, "surrogate": surrogate}
    try:
        config = TrainConfig(dataset=dataset, arch=arch, steps=steps, neuron=neuron, seed=seed, **options)
    except ValidationError as error:
        raise _option_fault(error.errors()[0]) from error
    # said now rather than after the training
    if json_file not in (None, "-") and Path(json_file).exists() and not force:
        raise UserError("already exists", where=json_file, remedy="choose another name or pass --force")
    metrics = run(config, out, data_root=data_root, force=force)
    stream = sys.stderr if json_file == "-" else sys.stdout
    print(f"test accuracy {100 * metrics['test_accuracy']:.2f} %, written to {out}/model.pt", file=stream)
    for layer, beta in zip(metrics["layers"], metrics["epochs"][-1]["beta"], strict=True):
        if beta < 0:
            print(
                f"note: beta of {layer} became {beta:.3f}; a chip's decay can't be negative: "
                "train with --activation sigmoid or clamp to export it there",
                file=sys.stderr,
            )
    write_json(metrics, json_file, force=force)


def _option_fault(fault: dict) -> Exception:
    """What pydantic found, in terms of the command's options."""
    from hw_models.errors import UserError

    names = [str(part) for part in fault["loc"] if isinstance(part, str) and part != "neuron"]
    where = f"--{names[0].replace('_', '-')}" if names else None
    what = fault["msg"].removeprefix("Value error, ")
    if isinstance(fault.get("input"), str | int | float):
        what = f"{what}, not {fault['input']!r}"
    return UserError(what, where=where, remedy="see dalif-train --help")


def _numbers(text: str | None, option: str) -> list[int] | None:
    from hw_models.errors import UserError

    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"{text!r} is no list of numbers", where=option, remedy="give for example 16,32") from error


def main() -> None:
    """Entry point of the command."""
    run_command(train)
