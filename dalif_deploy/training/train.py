"""The training loop."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import Progress

from dalif_deploy.data import LabelledData, load_data
from dalif_deploy.networks import SpikingNetwork, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint
from dalif_deploy.training.config import TrainConfig
from hw_models.atomic_files import atomic_directory
from hw_models.errors import UserError


def train(config: TrainConfig, out: str | Path, *, data_root: str | None = None, force: bool = False) -> dict[str, Any]:
    """Trains, and writes `out`/model.pt and `out`/metrics.json, both or neither.

    Progress goes to standard error. The test images are looked at after each epoch and decide nothing.

    Returns:
        The metrics: `test_accuracy` at the end, `layers` (their names), `epochs` (an entry each: loss and accuracy on
        the training batches as they were learned, test accuracy, lr at its begin, seconds, alpha and beta a layer at
        its end), `config`, `versions`.

    Raises:
        UserError: data missing, `out` exists, or the loss is no number any more.
    """
    with atomic_directory(out, force=force) as folder:
        training = load_data(f"{config.dataset}:train", data_root)
        testing = load_data(f"{config.dataset}:test", data_root)
        torch.manual_seed(config.seed)
        network = build_network(config.network(training.inputs.shape[1:], int(training.labels.max()) + 1))
        epochs = _fit(network, training, testing, config)
        metrics = {
            "test_accuracy": epochs[-1]["test_accuracy"],
            "config": config.model_dump(mode="json"),
            "layers": list(network.layers),
            "epochs": epochs,
            "versions": {
                "torch": str(torch.__version__),
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        }
        info = {"dataset": config.dataset, "input_step": training.step, "test_accuracy": metrics["test_accuracy"]}
        save_checkpoint(folder / "model.pt", network, info)
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    return metrics


def _fit(network: SpikingNetwork, training: LabelledData, testing: LabelledData, config: TrainConfig) -> list[dict]:
    order = np.random.default_rng(config.seed)
    inputs, labels = torch.from_numpy(training.inputs), torch.from_numpy(training.labels)
    batches = len(labels) // config.batch_size
    if batches == 0:
        raise UserError("batch size is larger than the data", remedy="choose a smaller --batch-size")
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config.lr, total_steps=config.epochs * batches, pct_start=0.2
    )
    epochs = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("training", total=config.epochs * batches)
        for epoch in range(1, config.epochs + 1):
            began, training_loss, correct = time.perf_counter(), 0.0, 0
            lr = schedule.get_last_lr()[0]
            network.train()
            permutation = torch.from_numpy(order.permutation(len(labels)))
            for index in permutation[: batches * config.batch_size].split(config.batch_size):
                x = _shifted(inputs[index], config.shift, order)
                logits = network(x)
                loss = F.cross_entropy(logits, labels[index])
                if not torch.isfinite(loss):
                    raise UserError(f"the loss became {loss.item()} in epoch {epoch}", remedy="use a smaller --lr")
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                training_loss += loss.item() / batches
                correct += int((logits.argmax(1) == labels[index]).sum())
                progress.update(bar, advance=1, description=f"epoch {epoch}, loss {loss.item():.3f}")
            accuracy = evaluate(network, testing)
            progress.console.print(f"epoch {epoch}: loss {training_loss:.4f}, test accuracy {100 * accuracy:.2f} %")
            epochs.append(
                {
                    "epoch": epoch,
                    "loss": training_loss,
                    "training_accuracy": correct / (batches * config.batch_size),
                    "test_accuracy": accuracy,
                    "lr": lr,
                    "seconds": round(time.perf_counter() - began, 3),
                    "alpha": [b.neuron.alpha.item() for b in network.layers.values()],
                    "beta": [b.neuron.beta.item() for b in network.layers.values()],
                }
            )
    return epochs


def evaluate(network: SpikingNetwork, data: LabelledData, batch_size: int = 256) -> float:
    """Share of samples whose largest logit is the label."""
    network.eval()
    correct = 0
    with torch.no_grad():
        for start in range(0, len(data.inputs), batch_size):
            logits = network(torch.from_numpy(data.inputs[start : start + batch_size]))
            correct += int((logits.argmax(1).numpy() == data.labels[start : start + batch_size]).sum())
    return correct / len(data.inputs)


def _shifted(x: torch.Tensor, reach: int, rng: np.random.Generator) -> torch.Tensor:
    """Images moved by up to `reach` pixels, a batch at a time, zeros moving in."""
    if reach == 0:
        return x
    down, right = (int(n) for n in rng.integers(-reach, reach + 1, 2))
    return F.pad(x, (right, -right, down, -down))
