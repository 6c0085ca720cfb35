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
from dalif_deploy.hw_models.devices import CHOICES

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from dalif_deploy.training import TrainConfig


def train(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Output folder, for model.pt, metrics.json and metrics.jsonl.")
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Settings from a .toml, .yaml or .json file; options override them.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", metavar="NAME", help="Use a recipe's settings; options override them.")
    ] = None,
    list_recipes: Annotated[bool, typer.Option("--list", help="List recipes and trained networks, and exit.")] = False,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print all settings as JSON and exit.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint of --out, with its options.")
    ] = False,
    checkpoint_every: Annotated[
        int | None, typer.Option(min=1, help="Also write a checkpoint every so many steps, not only after each epoch.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help=f"{NAMES}. The default, digits, needs no download.")] = None,
    arch: Annotated[
        str | None, typer.Option(help="cnn (default), mlp, resnet, resnet19, vgg11, vgg16, vggsnn, sew-resnet18 or 34.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Time steps per sample; 4 by default.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data; the default depends on the data set.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step, summed over all processes.")] = None,
    channels: Annotated[str | None, typer.Option(help="Channels of each block, for example 16,32.")] = None,
    strides: Annotated[
        str | None, typer.Option(help="Stride of each block, for example 1,2; a stride of 2 halves the image.")
    ] = None,
    width: Annotated[float | None, typer.Option(help="Multiply the channels of a named architecture.")] = None,
    activation: Annotated[
        str | None, typer.Option(help="What bounds the decays: tanh (default), sigmoid or clamp.")
    ] = None,
    neuron_kind: Annotated[
        str | None, typer.Option("--neuron", help="da-lif (default), or relu: a network of one step to compare with.")
    ] = None,
    learn: Annotated[
        str | None, typer.Option(help="Which decays to learn: both (default), spatial, temporal, tied (PLIF) or none.")
    ] = None,
    decays_per: Annotated[str | None, typer.Option(help="Learn decays per layer (default), channel or neuron.")] = None,
    alpha_init: Annotated[str | None, typer.Option(help="Initial alpha; a range such as 0.3,0.9 spreads them.")] = None,
    beta_init: Annotated[str | None, typer.Option(help="Initial beta, or a range.")] = None,
    learn_threshold: Annotated[
        bool | None, typer.Option("--learn-threshold", help="Also learn the thresholds.")
    ] = None,
    recurrent: Annotated[
        bool | None, typer.Option("--recurrent", help="Feed each layer its own spikes of the previous step.")
    ] = None,
    batch_norm: Annotated[bool | None, typer.Option(help="Batch norm before the neurons; on by default.")] = None,
    reset: Annotated[
        str | None, typer.Option(help="What a spike does to the membrane: zero (default) or subtract.")
    ] = None,
    surrogate: Annotated[
        str | None, typer.Option(help="Surrogate gradient: atan (default), sigmoid, triangle or rectangle.")
    ] = None,
    optimizer: Annotated[str | None, typer.Option(help="adamw (default) or sgd.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Weight decay; 1e-4 by default.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Momentum of sgd; 0.9 by default.")] = None,
    nesterov: Annotated[bool | None, typer.Option("--nesterov", help="Nesterov momentum, with sgd.")] = None,
    schedule: Annotated[str | None, typer.Option(help="Learning rate schedule: one-cycle (default) or cosine.")] = None,
    warmup_epochs: Annotated[float | None, typer.Option(help="With cosine: epochs of linear warm-up.")] = None,
    loss: Annotated[str | None, typer.Option(help="cross-entropy (default), or tet, which scores every step.")] = None,
    tet_lambda: Annotated[float | None, typer.Option(help="Weight of the regulariser in the TET loss, 0 to 1.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Label smoothing, 0 to 1.")] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Also learn a trained network's answers: a checkpoint, its folder, or zoo:NAME."
        ),
    ] = None,
    teacher_weight: Annotated[float | None, typer.Option(help="With --teacher: its share of the loss; 0.9.")] = None,
    temperature: Annotated[
        float | None, typer.Option(help="With --teacher: what the logits are divided by; 4 by default.")
    ] = None,
    shift: Annotated[int | None, typer.Option(help="Shift each batch by up to this many pixels.")] = None,
    flip: Annotated[bool | None, typer.Option("--flip", help="Mirror images at random, left to right.")] = None,
    crop_padding: Annotated[
        int | None, typer.Option(help="Pad each image by this many pixels, then crop at random.")
    ] = None,
    cutout: Annotated[
        int | None, typer.Option(help="Blank a square with sides of this many pixels in each image.")
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(help=f"{either_chip()}: run the forward pass of the last epochs in the chip's arithmetic."),
    ] = None,
    weight_bits: Annotated[int | None, typer.Option(help="With --quantize: bits per weight, 1 to 8.")] = None,
    scale_group: Annotated[
        str | None, typer.Option(help="With --quantize: one scale per layer or per channel (layer, channel).")
    ] = None,
    quantize_epochs: Annotated[
        int | None, typer.Option(help="With --quantize: how many of the epochs; half by default.")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Start with the weights of a checkpoint, its folder, or zoo:NAME."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Precision of products: 32 (default), bf16-mixed, or 16-mixed on a GPU.")
    ] = None,
    device: Annotated[str, typer.Option(help=f"{CHOICES}.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prefetch batches.")] = 0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard event files.")] = False,
    data_root: Annotated[str | None, typer.Option(help="Folder with the data sets.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed; 0 by default.")] = None,
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
        "recurrent": recurrent,
        "batch_norm": batch_norm,
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
        "teacher": teacher,
        "teacher_weight": teacher_weight,
        "temperature": temperature,
        "shift": shift,
        "flip": flip,
        "crop_padding": crop_padding,
        "cutout": cutout,
        "quantize": quantize,
        "weight_bits": weight_bits,
        "scale_group": scale_group,
        "quantize_epochs": quantize_epochs,
        "start_from": start_from,
        "precision": precision,
        "seed": seed,
    }
    neuron = {
        "kind": neuron_kind,
        "activation": activation,
        "learn": learn,
        "decays_per": decays_per,
        "alpha_init": _one_or_two(alpha_init, "--alpha-init"),
        "beta_init": _one_or_two(beta_init, "--beta-init"),
        "learn_threshold": learn_threshold,
        "reset": reset,
        "surrogate": surrogate,
    }

    from dalif_deploy.hw_models.errors import UserError
    from dalif_deploy.training.training_run import require_begun, unfinished_config
    from dalif_deploy.training.training_run import train as run

    if list_recipes:
        _print_recipes()
        return
    if resume and out is not None:
        require_begun(out)
    # a resumed training has the options it was begun with, unless told others: then it says which differ
    begun_with = unfinished_config(out) if resume and out is not None else None
    config = merged_config(_present(given), _present(neuron), config_file, begun_with, recipe)
    if print_config:
        print(config.model_dump_json(indent=2))
        return
    if out is None:
        raise UserError("missing", where="--out", remedy="name the folder to write")
    require_free_files(json_file, force=force, out=out)
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


def _print_recipes() -> None:
    from rich.console import Console

    from dalif_deploy.reports.recipe_table import print_recipes
    from dalif_deploy.training.recipe import read_recipe, recipe_names
    from dalif_deploy.zoo import model_card

    recipes = [read_recipe(name) for name in recipe_names()]
    rows = [{"name": r.name, "fields": r.fields, "ran": r.ran, "card": model_card(r.name)} for r in recipes]
    print_recipes(rows, Console())


def _present(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def merged_config(
    given: dict[str, Any],
    neuron: dict[str, Any],
    config_file: Path | None,
    begun_with: dict[str, Any] | None,
    recipe: str | None = None,
) -> TrainConfig:
    """Options over the file over what a resumed training had, or over a recipe, or over the data set's defaults."""
    from pydantic import ValidationError

    from dalif_deploy.training import TrainConfig
    from dalif_deploy.training.config import with_defaults
    from dalif_deploy.training.config_file import read_config_file
    from dalif_deploy.training.recipe import read_recipe

    file = {} if config_file is None else read_config_file(config_file)
    neuron = {**file.get("neuron", {}), **neuron}
    fields = {**file, **given}
    if recipe is not None:
        base = read_recipe(recipe).fields
        fields, neuron = {**base, **fields}, {**base["neuron"], **neuron}
    elif begun_with is None:
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
        raise UserError(
            f"{text!r} is not a list of numbers", where=option, remedy="write, for example, 16,32"
        ) from error


def _one_or_two(text: str | None, option: str) -> float | list[float] | None:
    """A number, or a range."""
    from dalif_deploy.hw_models.errors import UserError

    try:
        found = [] if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        found = [0.0] * 3
    if len(found) > 2:
        raise UserError(f"{text!r} is no number, nor two", where=option, remedy="give for example 0.5 or 0.1,0.9")
    return None if not found else found[0] if len(found) == 1 else found


def main() -> None:
    """Entry point of the command."""
    run_command(train)


if __name__ == "__main__":  # torchrun -m dalif_deploy.cli.train
    main()
