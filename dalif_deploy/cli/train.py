"""dalif-train: a DA-LIF network from images to a checkpoint."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from dalif_deploy.data.data_sets import DATA_SETS, NAMES
from dalif_deploy.hw_models.chips.names import either_chip

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from dalif_deploy.training import TrainConfig


def train(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write: model.pt, metrics.json and metrics.jsonl.")
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Fields from a .toml, .yaml or .json file; options go before it.")
    ] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print all fields as JSON, and stop.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint of --out, with the options it had.")
    ] = False,
    checkpoint_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between checkpoints; one is written after each epoch anyway.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help=f"{NAMES}; digits, the default, is in the package.")] = None,
    arch: Annotated[
        str | None, typer.Option(help="cnn (default), resnet, resnet19, vgg11, vgg16, vggsnn, sew-resnet18 or 34.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Time steps T of a sample; 4 by default.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data; the data set's own by default.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step, over all processes together.")] = None,
    channels: Annotated[str | None, typer.Option(help="Channels a block, for example 16,32.")] = None,
    strides: Annotated[str | None, typer.Option(help="Stride a block, for example 1,2; 2 halves the image.")] = None,
    width: Annotated[float | None, typer.Option(help="Factor on the channels of a named architecture.")] = None,
    neuron_kind: Annotated[
        str | None, typer.Option("--neuron", help="da-lif (default), or relu: a network to compare with, of one step.")
    ] = None,
    activation: Annotated[str | None, typer.Option(help="Bound of the decays: tanh (default), sigmoid, clamp.")] = None,
    learn: Annotated[
        str | None, typer.Option(help="Decays to learn: both (default), spatial, temporal or none.")
    ] = None,
    reset: Annotated[str | None, typer.Option(help="zero (default) or subtract.")] = None,
    surrogate: Annotated[str | None, typer.Option(help="atan (default), sigmoid, triangle or rectangle.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adamw (default) or sgd.")] = None,
    lr: Annotated[float | None, typer.Option(help="Largest learning rate.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="1e-4 by default.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Of sgd; 0.9 by default.")] = None,
    nesterov: Annotated[bool | None, typer.Option("--nesterov", help="With sgd.")] = None,
    schedule: Annotated[str | None, typer.Option(help="one-cycle (default) or cosine.")] = None,
    warmup_epochs: Annotated[float | None, typer.Option(help="With cosine: epochs of a linear rise.")] = None,
    loss: Annotated[str | None, typer.Option(help="cross-entropy (default) or tet, which looks at each step.")] = None,
    tet_lambda: Annotated[float | None, typer.Option(help="Share of the regulariser in the TET loss, 0..1.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="0..1.")] = None,
    shift: Annotated[int | None, typer.Option(help="Move each batch by up to so many pixels.")] = None,
    flip: Annotated[bool | None, typer.Option("--flip", help="Mirror images, left for right, at random.")] = None,
    crop_padding: Annotated[int | None, typer.Option(help="Crop each image at random from so much padding.")] = None,
    cutout: Annotated[int | None, typer.Option(help="Blank a square of this side in each image.")] = None,
    quantize: Annotated[
        str | None, typer.Option(help=f"{either_chip()}: the last epochs' forward pass is the chip's own arithmetic.")
    ] = None,
    weight_bits: Annotated[int | None, typer.Option(help="With --quantize: bits of a weight, 1 to 8.")] = None,
    scale_group: Annotated[
        str | None, typer.Option(help="With --quantize: one scale a layer, or one a channel: layer or channel.")
    ] = None,
    quantize_epochs: Annotated[int | None, typer.Option(help="With --quantize: how many; by default half.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="32 (default), bf16-mixed or, on a GPU, 16-mixed: bits of a product.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read batches ahead.")] = 0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard's event files too.")] = False,
    data_root: Annotated[str | None, typer.Option(help="Folder of the data sets.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice; 0 by default.")] = None,
    json_file: JsonOption = None,
    force: ForceOption = False,
    debug: DebugOption = False,
    version: VersionOption = False,
) -> None:
    """Train a DA-LIF network.

    Example: dalif-train --dataset digits --arch cnn --steps 4 --out runs/x
    """
    given = {
        "dataset": dataset,
        "arch": arch,
        "steps": 1 if steps is None and neuron_kind == "relu" else steps,
        "epochs": epochs,
        "batch_size": batch_size,
        "channels": _numbers(channels, "--channels"),
        "strides": _numbers(strides, "--strides"),
        "width": width,
        "optimizer": optimizer,
        "lr": lr,
        "weight_decay": weight_decay,
        "momentum": momentum,
        "nesterov": nesterov,
        "schedule": schedule,
        "warmup_epochs": warmup_epochs,
        "loss": loss,
        "tet_lambda": tet_lambda,
        "label_smoothing": label_smoothing,
        "shift": shift,
        "flip": flip,
        "crop_padding": crop_padding,
        "cutout": cutout,
        "quantize": quantize,
        "weight_bits": weight_bits,
        "scale_group": scale_group,
        "quantize_epochs": quantize_epochs,
        "precision": precision,
        "seed": seed,
    }
    neuron = {"kind": neuron_kind, "activation": activation, "learn": learn, "reset": reset, "surrogate": surrogate}

    from dalif_deploy.hw_models.errors import UserError
    from dalif_deploy.training.training_run import require_begun, unfinished_config
    from dalif_deploy.training.training_run import train as run

    if resume and out is not None:
        require_begun(out)
    # a resumed training has the options it was begun with, unless told others: then it says which differ
    begun_with = unfinished_config(out) if resume and out is not None else None
    config = merged_config(_present(given), _present(neuron), config_file, begun_with)
    if print_config:
        print(config.model_dump_json(indent=2))
        return
    if out is None:
        raise UserError("missing", where="--out", remedy="name the folder to write")
    require_free_files(json_file, force=force)
    metrics = run(
        config,
        out,
        data_root=data_root,
        force=force,
        resume=resume,
        checkpoint_every=checkpoint_every,
        tensorboard=tensorboard,
        device=device,
        workers=workers,
    )
    if int(os.environ.get("RANK", "0")) > 0:  # under torchrun the first process speaks for all
        return
    stream = sys.stderr if json_file == "-" else sys.stdout
    if DATA_SETS[config.dataset].simulated:
        print(f"{config.dataset}: simulated events", file=stream)
    how = "" if config.quantize is None else f" (computed as {config.quantize} does, {config.weight_bits}-bit weights)"
    print(f"test accuracy {100 * metrics['test_accuracy']:.2f} %{how}, written to {out}/model.pt", file=stream)
    write_json(metrics, json_file, force=force)


def _present(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def merged_config(
    given: dict[str, Any], neuron: dict[str, Any], config_file: Path | None, begun_with: dict[str, Any] | None
) -> TrainConfig:
    """Options over the file over what a resumed training had, or over the data set's defaults."""
    from pydantic import ValidationError

    from dalif_deploy.training import TrainConfig
    from dalif_deploy.training.config import with_defaults
    from dalif_deploy.training.config_file import read_config_file

    file = {} if config_file is None else read_config_file(config_file)
    neuron = {**file.get("neuron", {}), **neuron}
    fields = {**file, **given}
    if begun_with is None:
        fields = with_defaults(fields)
    else:
        fields = {**begun_with, **fields}
        neuron = {**begun_with["neuron"], **neuron}
    try:
        return TrainConfig(**{**fields, "neuron": neuron})
    except ValidationError as error:
        raise _option_fault(error.errors()[0]) from error


def _option_fault(fault: ErrorDetails) -> Exception:
    """What pydantic found, in terms of the command's options."""
    from dalif_deploy.hw_models.errors import UserError

    names = [str(part) for part in fault["loc"] if isinstance(part, str) and part != "neuron"]
    where = f"--{names[0].replace('_', '-')}" if names else None
    what = fault["msg"].removeprefix("Value error, ")
    if isinstance(fault.get("input"), str | int | float):
        what = f"{what}, not {fault['input']!r}"
    return UserError(what, where=where, remedy="see dalif-train --help")


def _numbers(text: str | None, option: str) -> list[int] | None:
    from dalif_deploy.hw_models.errors import UserError

    try:
        return None if text is None else [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"{text!r} is no list of numbers", where=option, remedy="give for example 16,32") from error


def main() -> None:
    """Entry point of the command."""
    run_command(train)


if __name__ == "__main__":  # torchrun -m dalif_deploy.cli.train
    main()
