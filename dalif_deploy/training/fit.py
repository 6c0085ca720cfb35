"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from dalif_deploy.data import LabelledData
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks import SpikingNetwork
from dalif_deploy.neuron import DALIF
from dalif_deploy.training.augmentation import Part, augment
from dalif_deploy.training.batches import read_batches
from dalif_deploy.training.config import TrainConfig
from dalif_deploy.training.distillation import Teacher
from dalif_deploy.training.epoch_log import in_short
from dalif_deploy.training.evaluation import evaluate, time_first
from dalif_deploy.training.losses import loss_and_logits
from dalif_deploy.training.processes import Processes
from dalif_deploy.training.training_state import TrainingState, not_a_number


def fit(
    state: TrainingState,
    training: LabelledData,
    testing: LabelledData,
    config: TrainConfig,
    processes: Processes,
    *,
    after_step: Callable[[], None],
    after_epoch: Callable[[dict[str, Any]], None],
    workers: int = 0,
    teacher: Teacher | None = None,
) -> None:
    """Trains from where `state` stands to the last epoch.

    Args:
        state: its network is on the device of `processes`.
        workers: processes that read batches ahead.
        teacher: as the configuration says.
        after_step: called after each step but an epoch's last.
        after_epoch: called with the metrics of each epoch, which are in `state.epochs` by then.

    Raises:
        UserError: the loss or a weight is no number any more; `after_epoch` was not called with such a state.
    """
    labels = torch.from_numpy(training.labels).to(processes.device)
    batches = steps_per_epoch(training, config)
    trained = state.network if state.chip is None else state.chip
    network, optimizer = processes.ready(trained, state.optimizer)
    share = config.batch_size // processes.count
    mine = slice(processes.rank * share, (processes.rank + 1) * share)
    console = Console(stderr=True, quiet=processes.rank > 0)
    with Progress(console=console, transient=True, disable=processes.rank > 0) as progress:
        bar = progress.add_task(
            "training", total=config.epochs * batches, completed=len(state.epochs) * batches + state.batch
        )
        while len(state.epochs) < config.epochs:
            epoch, earlier, began = len(state.epochs) + 1, state.seconds, time.perf_counter()
            if state.permutation is None:
                state.lr = float(state.schedule.get_last_lr()[0])
                state.permutation = torch.from_numpy(state.rng.permutation(len(labels)))
            if state.chip is not None:
                state.chip.active = epoch > config.float_epochs
            trained.train()
            left = state.permutation[: batches * config.batch_size].split(config.batch_size)[state.batch :]
            own = [index[mine] for index in left]
            for index, x in zip(own, read_batches(training, own, processes.device, workers), strict=True):
                # the whole batch's augmentation is drawn in every process, so that it does not depend on their number
                x, y = augment(x, config, state.rng, Part(config.batch_size, mine)), labels[index.to(labels.device)]
                shared = [] if state.chip is None else state.chip.shared_decays()
                loss, logits = loss_and_logits(network, time_first(x), y, config, teacher)
                value, correct = processes.total([loss.item() / processes.count, int((logits.argmax(1) == y).sum())])
                if not math.isfinite(value):
                    raise not_a_number(f"the loss became {value} in epoch {epoch}")
                optimizer.zero_grad(set_to_none=True)
                processes.backward(loss)
                optimizer.step()
                keep_betas_decays(state.network)
                for each in shared:
                    each.bring_together()
                state.schedule.step()
                state.loss += value / batches
                state.correct += int(correct)
                state.batch += 1
                state.seconds = earlier + time.perf_counter() - began
                progress.update(bar, advance=1, description=f"epoch {epoch}, loss {value:.3f}")
                if state.batch < batches:
                    after_step()
            state.require_finite()
            accuracy = evaluate(trained, testing, processes=processes)
            layers = state.network.spiking_layers.values()
            metrics = {
                "epoch": epoch,
                "loss": state.loss,
                "training_accuracy": state.correct / (batches * config.batch_size),
                "test_accuracy": accuracy,
                "arithmetic": "float" if epoch <= config.float_epochs else config.quantize,
                "lr": state.lr,
                "seconds": round(earlier + time.perf_counter() - began, 3),
                "alpha": [in_short(layer.neuron.alpha) for layer in layers if isinstance(layer.neuron, DALIF)],
                "beta": [in_short(layer.neuron.beta) for layer in layers if isinstance(layer.neuron, DALIF)],
            }
            progress.console.print(f"epoch {epoch}: loss {metrics['loss']:.4f}, test accuracy {100 * accuracy:.2f} %")
            state.epochs.append(metrics)
            state.batch, state.permutation, state.loss, state.correct, state.seconds = 0, None, 0.0, 0, 0.0
            after_epoch(metrics)


def keep_betas_decays(network: SpikingNetwork) -> None:
    """Puts learned temporal decays back into [0, 1), where a step of the optimizer left it."""
    for layer in network.spiking_layers.values():
        if isinstance(layer.neuron, DALIF):
            layer.neuron.keep_beta_a_decay()


def steps_per_epoch(training: LabelledData, config: TrainConfig) -> int:
    """Whole batches in the data; a rest is left out.

    Raises:
        UserError: not even one.
    """
    batches = len(training.labels) // config.batch_size
    if batches == 0:
        raise UserError("batch size is larger than the data", remedy="choose a smaller --batch-size")
    return batches
