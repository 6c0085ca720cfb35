"""Thresholds of a rate-coded network, from activations that the ReLU network has on samples.

In T steps an integrate-and-fire neuron of threshold theta says one of the T + 1 values 0, theta / T, ..., theta. With
half a level added in advance it rounds to the nearest of them (Deng and Gu, ICLR 2021). A large theta rounds coarsely,
a small one cuts off; the one taken has the least mean squared error on the samples (Li et al., "A free lunch from
ANN", ICML 2021).
"""

from __future__ import annotations

import torch
from torch import nn

CANDIDATES = 64  # thresholds that are tried, evenly spread up to the largest activation
KEPT = 1 << 16  # activations a layer that are looked at


class SeenActivations(nn.Module):
    """A ReLU that keeps a random part of what passes through it.

    Attributes:
        seen: activations above 0, [M]; at most `KEPT` a batch.
        largest: the largest of all.
    """

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.parts: list[torch.Tensor] = []
        self.largest = 0.0
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, ...] rectified."""
        activation = torch.relu(x)
        flat = activation.detach().flatten().float().cpu()
        self.largest = max(self.largest, float(flat.max()))
        active = flat[flat > 0]
        if len(active) > KEPT:
            active = active[torch.randint(len(active), (KEPT,), generator=self.generator)]
        self.parts.append(active)
        return activation

    @property
    def seen(self) -> torch.Tensor:
        """Activations above 0, [M]."""
        return torch.cat(self.parts) if self.parts else torch.zeros(0)


def best_threshold(activations: torch.Tensor, steps: int) -> float:
    """The threshold whose `steps` + 1 levels say `activations` ([M], above 0) with the least mean squared error."""
    largest = float(activations.max())
    best, least = largest, float("inf")
    for part in range(1, CANDIDATES + 1):
        threshold = largest * part / CANDIDATES
        error = float((spoken(activations, threshold, steps) - activations).square().mean())
        if error < least:
            best, least = threshold, error
    return best


def spoken(activation: torch.Tensor, threshold: float, steps: int) -> torch.Tensor:
    """What an integrate-and-fire neuron says in `steps` steps of a constant input: the nearest level, in reach."""
    level = threshold / steps
    return level * torch.clamp(torch.floor(activation / level + 0.5), 0, steps)
