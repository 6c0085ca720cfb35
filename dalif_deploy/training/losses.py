"""Losses over the readout's logits."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F

from dalif_deploy.training.config import TrainConfig
from dalif_deploy.training.distillation import Teacher, distillation_loss


def tet_loss(
    logits: torch.Tensor, labels: torch.Tensor, *, label_smoothing: float = 0.0, regulariser: float, target: float
) -> torch.Tensor:
    """Temporal efficient training (Deng et al., ICLR 2022, eq. 8-11).

    (1 - regulariser) * mean over time of each step's cross entropy + regulariser * mean of (logits - target)^2.

    Args:
        logits: [T, N, classes].
        labels: [N].
        regulariser: the paper's lambda, 0..1.
        target: the paper's phi, to which logits are drawn: the threshold.
    """
    steps = len(logits)
    # every step has the same number of samples: the mean over both is the mean over time of the means
    entropy = F.cross_entropy(logits.flatten(0, 1), labels.repeat(steps), label_smoothing=label_smoothing)
    return (1 - regulariser) * entropy + regulariser * (logits - target).square().mean()


class Classifier(Protocol):
    """A network whose logits can be asked for each step, or averaged."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, classes], averaged over time."""

    def logits_per_step(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [T, N, classes]."""


def loss_and_logits(
    network: Classifier, x: torch.Tensor, labels: torch.Tensor, config: TrainConfig, teacher: Teacher | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The configuration's loss, and logits [N, classes] averaged over time."""
    loss, logits = _loss_of_labels(network, x, labels, config)
    if teacher is not None:
        taught = distillation_loss(logits, teacher(x), config.temperature)
        loss = (1 - config.teacher_weight) * loss + config.teacher_weight * taught
    return loss, logits.detach()


def _loss_of_labels(
    network: Classifier, x: torch.Tensor, labels: torch.Tensor, config: TrainConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    if config.loss == "tet":
        logits = network.logits_per_step(x)
        loss = tet_loss(
            logits,
            labels,
            label_smoothing=config.label_smoothing,
            regulariser=config.tet_lambda,
            target=config.neuron.v_threshold,
        )
        return loss, logits.mean(0)
    logits = network(x)
    return F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing), logits
