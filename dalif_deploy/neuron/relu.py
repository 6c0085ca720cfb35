"""ReLU in the place of DA-LIF neurons: the network that a spiking one is compared with."""

from __future__ import annotations

import torch
from torch import nn


class ReLULayer(nn.Module):
    """No state: each step is rectified on its own."""

    def forward(
        self, current: torch.Tensor, record: list[torch.Tensor] | None = None, steps: int | None = None
    ) -> torch.Tensor:
        """[T, N, ...] to activations of the same shape.

        Args:
            record: takes each step's current, in the place of a membrane.
            steps: `current` is [N, ...], the same at each of so many steps.
        """
        if steps is not None:
            current = current.expand(steps, *current.shape)
        if record is not None:
            record.extend(current)
        return torch.relu(current)
