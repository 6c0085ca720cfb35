"""The metrics of each epoch, written while the training runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from dalif_deploy.hw_models.errors import UserError


def require_tensorboard() -> None:
    """Raises UserError where TensorBoard is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise UserError(
            "TensorBoard is not installed", where="--tensorboard", remedy="pip install 'dalif-deploy[tensorboard]'"
        ) from error


def in_short(decays: torch.Tensor) -> float | list[float]:
    """A layer's decay; [lowest, median, highest] where it has several."""
    if decays.ndim == 0:
        return decays.item()
    return [decays.min().item(), decays.quantile(0.5).item(), decays.max().item()]


class EpochLog:
    """Appends to metrics.jsonl, an object a line, and on request to TensorBoard's event files in `folder`/tensorboard.

    Args:
        done: epochs that a resumed training has behind it; what the files say beyond them is dropped.
    """

    def __init__(self, folder: Path, done: list[dict[str, Any]], layers: list[str], *, tensorboard: bool):
        self.layers, self.writer = layers, None
        self.lines = open(folder / "metrics.jsonl", "w", encoding="utf-8")  # noqa: SIM115 - closed by close()
        for epoch in done:
            self._line(epoch)
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=len(done) + 1)

    def write(self, epoch: dict[str, Any]) -> None:
        """One epoch's metrics, on disk when this returns."""
        self._line(epoch)
        if self.writer is None:
            return
        for name in ("loss", "training_accuracy", "test_accuracy", "lr"):
            self.writer.add_scalar(name, epoch[name], epoch["epoch"])
        for decay in ("alpha", "beta"):
            for layer, value in zip(self.layers, epoch[decay], strict=True):
                values = (
                    dict(zip((".lowest", "", ".highest"), value, strict=True))
                    if isinstance(value, list)
                    else {"": value}
                )
                for end, each in values.items():
                    self.writer.add_scalar(f"{decay}/{layer}{end}", each, epoch["epoch"])
        self.writer.flush()

    def _line(self, epoch: dict[str, Any]) -> None:
        self.lines.write(json.dumps(epoch) + "\n")
        self.lines.flush()

    def close(self) -> None:
        """Closes the files."""
        self.lines.close()
        if self.writer is not None:
            self.writer.close()
