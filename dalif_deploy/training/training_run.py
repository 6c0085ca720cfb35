"""A training from its data to the files it leaves."""

from __future__ import annotations

import json
import platform
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dalif_deploy.converters.folder_files import folder_files
from dalif_deploy.data import LabelledData, load_data
from dalif_deploy.hardware_aware import ChipForward, ChipTarget
from dalif_deploy.hw_models.arithmetic import require_arithmetic
from dalif_deploy.hw_models.chips.description import load_chip
from dalif_deploy.hw_models.devices import chosen_device
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_directory
from dalif_deploy.hw_models.files.ownership import require_free
from dalif_deploy.networks import build_network
from dalif_deploy.networks.checkpoint import load_checkpoint, save_checkpoint
from dalif_deploy.training.config import TrainConfig
from dalif_deploy.training.distillation import load_teacher
from dalif_deploy.training.epoch_log import EpochLog, require_tensorboard
from dalif_deploy.training.fit import fit, steps_per_epoch
from dalif_deploy.training.optimization import make_optimizer, make_schedule
from dalif_deploy.training.processes import Processes, this_process
from dalif_deploy.training.trained_network import start_from
from dalif_deploy.training.training_state import TrainingState, load_unfinished, require_same_config

CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.json"  # lists the folder of a finished training


def working_folder(out: str | Path) -> Path:
    """Where an unfinished training keeps its checkpoint and logs: beside `out`, which appears only when all is done."""
    out = Path(out)
    return out.with_name(f"{out.name}.training")


def unfinished_config(out: str | Path) -> dict[str, Any] | None:
    """The configuration of the unfinished training of `out`, or of the finished one; None if there is neither.

    Raises:
        UserError: a damaged checkpoint.
    """
    path = working_folder(out) / CHECKPOINT
    if (Path(out) / METRICS).is_file() and not path.is_file():
        found = _metrics(Path(out)).get("config")
    else:
        found = load_checkpoint(path).info.get("config") if path.is_file() else None
    return found if isinstance(found, dict) and isinstance(found.get("neuron"), dict) else None


def require_begun(out: str | Path) -> None:
    """Raises UserError where neither an unfinished nor a finished training of `out` stands."""
    if not ((working_folder(out) / CHECKPOINT).is_file() or (Path(out) / METRICS).is_file()):
        remedy = "check --out, or leave out --resume to start one"
        raise UserError("there is no training to resume", where=str(out), remedy=remedy)


def train(
    config: TrainConfig,
    out: str | Path,
    *,
    data_root: str | None = None,
    force: bool = False,
    resume: bool = False,
    checkpoint_every: int | None = None,
    tensorboard: bool = False,
    device: str = "cpu",
    workers: int = 0,
) -> dict[str, Any]:
    """Trains, and writes `out`/model.pt, metrics.json and metrics.jsonl, all or none.

    A checkpoint is written after each epoch to `working_folder(out)`, from which `resume` goes on: on a CPU with the
    same number of threads every bit of the result is that of an uninterrupted training. Progress goes to standard
    error. The test images are looked at after each epoch and decide nothing. Under torchrun the processes share each
    batch, and the first of them writes.

    Args:
        force: replaces what a training left at `out`, and its unfinished one; never other files.
        resume: go on from the checkpoint; return the metrics where all is done.
        checkpoint_every: write a checkpoint after each so many steps of an epoch as well.
        tensorboard: write event files too, to the folder `tensorboard`.
        device: see `chosen_device`. A checkpoint can be gone on with on another one, to other rounding.
        workers: processes that read batches ahead; the results do not depend on them.

    Returns:
        The metrics: `test_accuracy` at the end, `layers` (their names), `epochs` (an entry each: loss and accuracy on
        the training batches as they were learned, test accuracy, lr at its begin, seconds, alpha and beta a layer at
        its end, [lowest, median, highest] where they differ within the layer), `config`, `versions`.

    Raises:
        UserError: data missing, `out` or an unfinished training exists, there is nothing to resume or it is of
            another configuration, a teacher that does not fit, or the loss is no number any more.
    """
    out, working = Path(out), working_folder(out)
    processes = this_process(chosen_device(device), config.precision)
    if tensorboard:
        require_tensorboard()
    if config.batch_size % processes.count:
        what = f"{config.batch_size} images can't be shared equally by {processes.count} processes"
        raise UserError(what, where="--batch-size", remedy="give a multiple of their number")
    if resume and not force and (out / METRICS).is_file():
        metrics = _metrics(out)
        require_same_config(metrics.get("config"), config, out / METRICS)
        if processes.rank == 0:  # killed between the last two renames
            _clear(working)
        return metrics
    if resume:
        require_begun(out)
    if processes.rank == 0:
        _prepare(out, working, force=force, resume=resume)
    try:
        return _train(config, out, processes, data_root, force, resume, checkpoint_every, tensorboard, workers)
    finally:
        # without a checkpoint it is of no use to anybody
        if processes.rank == 0 and not (working / CHECKPOINT).exists():
            _clear(working)


def _clear(working: Path) -> None:
    """Removes what a training keeps in its working folder, and the folder if nothing else lies there."""
    for path in [working / CHECKPOINT, working / "metrics.jsonl", *working.glob(f".{CHECKPOINT}.*")]:
        path.unlink(missing_ok=True)
    shutil.rmtree(working / "tensorboard", ignore_errors=True)
    with suppress(OSError):
        working.rmdir()


def chip_target(config: TrainConfig, data: LabelledData) -> ChipTarget:
    """How dalif-export compiles what this configuration trains."""
    assert config.quantize is not None  # asked for by those only that train with a chip's arithmetic
    require_arithmetic(config.quantize, "lava", "training")
    mode = load_chip(config.quantize).formats.image_input
    return ChipTarget(config.quantize, mode, data.step, data.highest, config.weight_bits, config.scale_group)


def _metrics(out: Path) -> dict[str, Any]:
    path = out / METRICS
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            "not the metrics of a dalif-train run",
            where=str(path),
            remedy="remove the folder yourself, or choose another",
        ) from error
    if not isinstance(metrics, dict):
        raise UserError(
            "not the metrics of a dalif-train run",
            where=str(path),
            remedy="remove the folder yourself, or choose another",
        )
    metrics.pop("files", None)
    return metrics


def _prepare(out: Path, working: Path, *, force: bool, resume: bool) -> None:
    require_free(out, force, folder=METRICS)
    if (working / CHECKPOINT).exists() and not resume:
        if not force:
            remedy = "pass --resume to continue it, or --force to start again"
            raise UserError("holds an unfinished training", where=str(working), remedy=remedy)
        _clear(working)
    try:
        working.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot write ({error.strerror or error})"
        raise UserError(what, where=str(working), remedy="choose a folder you can write to") from error


def _train(
    config: TrainConfig,
    out: Path,
    processes: Processes,
    data_root: str | None,
    force: bool,
    resume: bool,
    checkpoint_every: int | None,
    tensorboard: bool,
    workers: int,
) -> dict[str, Any]:
    working = working_folder(out)
    path = working / CHECKPOINT
    training = load_data(f"{config.dataset}:train", data_root, steps=config.steps)
    testing = load_data(f"{config.dataset}:test", data_root, steps=config.steps)
    classes = int(training.labels.max()) + 1
    teacher = None if config.teacher is None else load_teacher(config.teacher, config, training, classes, processes)
    torch.manual_seed(config.seed)
    network = build_network(config.network(training.inputs.shape[-3:], classes))
    if config.start_from is not None and not resume:
        start_from(network, config.start_from)
    network.to(processes.device)
    optimizer = make_optimizer(network, config)
    schedule = make_schedule(optimizer, config, steps_per_epoch(training, config))
    chip = None if config.quantize is None else ChipForward(network, chip_target(config, training))
    state = TrainingState(network, optimizer, schedule, np.random.default_rng(config.seed), chip, processes)
    checkpoint = load_unfinished(path, config) if resume else None
    if checkpoint is not None:
        if teacher is not None and checkpoint.info.get("teacher") != teacher.known:
            remedy = "resume with the teacher it was begun with, or start again with --force"
            raise UserError(
                f"another network than when it was begun: {config.teacher}", where="--teacher", remedy=remedy
            )
        state.restore(checkpoint, path)
    log = (
        EpochLog(working, state.epochs, list(network.layers), tensorboard=tensorboard) if processes.rank == 0 else None
    )
    info = {
        "dataset": config.dataset,
        "input_step": training.step,
        "input_highest": training.highest,
        "config": config.model_dump(mode="json"),
        **({} if teacher is None else {"teacher": teacher.known}),
    }

    def save() -> None:
        if processes.rank == 0:
            accuracy = state.epochs[-1]["test_accuracy"] if state.epochs else None
            state.save(path, {**info, "test_accuracy": accuracy})

    def after_step() -> None:
        if checkpoint_every and state.batch % checkpoint_every == 0:
            state.require_finite()
            save()

    def after_epoch(metrics: dict[str, Any]) -> None:
        if log is not None:
            log.write(metrics)
        save()

    try:
        fit(
            state,
            training,
            testing,
            config,
            processes,
            after_step=after_step,
            after_epoch=after_epoch,
            workers=workers,
            teacher=teacher,
        )
    except UserError as error:
        if not path.exists():
            raise
        remedy = f"{error.remedy}; the last good checkpoint is {path}"
        raise UserError(error.what, where=error.where, remedy=remedy) from error
    finally:
        if log is not None:
            log.close()
    metrics = {
        "test_accuracy": state.epochs[-1]["test_accuracy"],
        "config": info["config"],
        "layers": list(network.layers),
        "epochs": state.epochs,
        "versions": {"torch": str(torch.__version__), "numpy": np.__version__, "python": platform.python_version()},
    }
    if processes.rank == 0:
        with atomic_directory(out, METRICS, force=force) as folder:
            save_checkpoint(folder / "model.pt", network, {**info, "test_accuracy": metrics["test_accuracy"]})
            # copies: until the folder has its name, a resumed training needs the originals
            shutil.copy(working / "metrics.jsonl", folder)
            if tensorboard:
                shutil.copytree(working / "tensorboard", folder / "tensorboard")
            listed = {**metrics, "files": folder_files(folder)}
            (folder / METRICS).write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
        _clear(working)
    return metrics
