"""Knowledge distillation (Hinton, Vinyals and Dean 2015): a trained network's answers beside the labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from dalif_deploy.converters.file_digest import file_digest
from dalif_deploy.data import LabelledData
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.training.config import TrainConfig
from dalif_deploy.training.evaluation import time_first
from dalif_deploy.training.processes import OneProcess, Processes
from dalif_deploy.training.trained_network import trained_file


def distillation_loss(logits: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """temperature^2 * KL(softmax(teacher / temperature) || softmax(logits / temperature)), mean over the samples.

    The square keeps the gradient's size whatever the temperature is (the paper's section 2).

    Args:
        logits, teacher: [N, classes]; no gradient flows to `teacher`.
    """
    student, wanted = (F.log_softmax(each / temperature, 1) for each in (logits, teacher.detach()))
    return temperature**2 * F.kl_div(student, wanted, reduction="batchmean", log_target=True)


class Teacher:
    """A trained network that only answers: its weights and averages stay as they are, and nothing is kept of its pass.

    Attributes:
        known: what a checkpoint of the student says of it: `sha256` of its file and its `test_accuracy` (or None).
    """

    def __init__(self, network: torch.nn.Module, known: dict[str, str | float | None], processes: Processes):
        self.known, self._processes = known, processes
        self._network = network.to(processes.device).eval().requires_grad_(False)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, classes] of a batch as the student takes it, in the precision of the training."""
        with torch.inference_mode(), self._processes.autocast():
            logits: torch.Tensor = self._network(x)
        return logits.float().clone()  # which autograd may keep, unlike a tensor made in inference mode


def load_teacher(
    given: str, config: TrainConfig, data: LabelledData, classes: int, processes: Processes | None = None
) -> Teacher:
    """The teacher of a training.

    Args:
        given: see `trained_file`.
        data: what the student trains on.

    Raises:
        UserError: no checkpoint, or one of other images, classes, data or steps than the student's.
    """
    path = trained_file(given)
    checkpoint = load_checkpoint(path)
    spec, shape = checkpoint.spec, tuple(data.inputs.shape[-3:])
    moving = time_first(torch.empty(0, *data.inputs.shape[1:])).ndim == 5
    differs = [
        ("input shape", "x".join(map(str, spec.input_shape)), "x".join(map(str, shape))),
        ("classes", spec.classes, classes),
        ("data set", checkpoint.info.get("dataset") or config.dataset, config.dataset),
        # a still image is shown at each step, however many; frames are cut from the data for a number of steps
        ("steps", spec.steps if moving else config.steps, config.steps),
    ]
    for name, its, ours in differs:
        if its != ours:
            remedy = "choose a teacher that was trained on the same data"
            raise UserError(f"can't teach: its {name} {its}, the student's {ours}", where=str(path), remedy=remedy)
    known = {"sha256": file_digest(path), "test_accuracy": checkpoint.info.get("test_accuracy")}
    return Teacher(checkpoint.network, known, processes or OneProcess())
