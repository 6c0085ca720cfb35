"""Accuracy on a data set."""

from __future__ import annotations

import torch
from torch import nn

from dalif_deploy.data import LabelledData
from dalif_deploy.training.processes import OneProcess, Processes


def time_first(x: torch.Tensor) -> torch.Tensor:
    """As networks take samples: sequences [N, T, C, H, W] as [T, N, C, H, W]; images [N, C, H, W] stay as they are."""
    return x.transpose(0, 1) if x.ndim == 5 else x


def evaluate(
    network: nn.Module, data: LabelledData, batch_size: int = 256, processes: Processes | None = None
) -> float:
    """Share of samples whose largest logit is the label; each process looks at its share of the batches."""
    processes = processes or OneProcess()
    network.eval()
    correct = 0
    if len(data.inputs.shape) == 5:  # a sample has as many frames as images, at their size, pass the first layer once
        batch_size = max(1, batch_size // data.inputs.shape[1])
    with torch.no_grad():
        # in full precision, as what is exported
        for start in range(processes.rank * batch_size, len(data.inputs), processes.count * batch_size):
            x = torch.from_numpy(data.inputs[start : start + batch_size]).to(processes.device)
            correct += int(
                (network(time_first(x)).argmax(1).cpu().numpy() == data.labels[start : start + batch_size]).sum()
            )
    return processes.total([correct])[0] / len(data.inputs)
