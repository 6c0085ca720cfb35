"""Accuracy on a data set."""

from __future__ import annotations

import torch

from dalif_deploy.data import LabelledData
from dalif_deploy.networks import SpikingNetwork
from dalif_deploy.training.processes import OneProcess, Processes


def evaluate(
    network: SpikingNetwork, data: LabelledData, batch_size: int = 256, processes: Processes | None = None
) -> float:
    """Share of samples whose largest logit is the label; each process looks at its share of the batches."""
    processes = processes or OneProcess()
    network.eval()
    correct = 0
    with torch.no_grad():
        for start in range(processes.rank * batch_size, len(data.inputs), processes.count * batch_size):
            logits = network(torch.from_numpy(data.inputs[start : start + batch_size]))
            correct += int((logits.argmax(1).numpy() == data.labels[start : start + batch_size]).sum())
    return processes.total([correct])[0] / len(data.inputs)
