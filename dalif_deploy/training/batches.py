"""Batches in a given order, read ahead by worker processes where that is asked for, on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from dalif_deploy.data import LabelledData


class _Batches(Dataset[torch.Tensor]):
    def __init__(self, data: LabelledData):
        self.inputs = data.inputs

    def __getitem__(self, samples: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self.inputs[samples])


def read_batches(
    data: LabelledData, batches: Sequence[torch.Tensor], device: torch.device, workers: int = 0
) -> Iterator[torch.Tensor]:
    """The inputs of each batch, float32 on the device.

    Args:
        batches: the samples of each, as indices.
        workers: processes that read ahead; 0 reads in this one. The order and the values do not depend on them.
    """
    loader = DataLoader(
        _Batches(data),
        batch_size=None,
        sampler=[index.numpy() for index in batches],
        num_workers=workers,
        pin_memory=device.type == "cuda",  # from there a copy to the GPU goes on while the GPU computes
        generator=torch.Generator(),  # of its own: it would draw from that of the training
    )
    for x in loader:
        yield x.to(device, non_blocking=True)
