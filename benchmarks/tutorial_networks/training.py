"""What the training loops of all tutorials share: batches, an optimizer, the share of images decided rightly."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

Scores = Callable[[nn.Module, torch.Tensor], torch.Tensor]  # images [N, 1, 28, 28] -> [N, 10]
BATCH = 100


def batches(images: torch.Tensor, labels: torch.Tensor, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """All images once, in random order."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    for part in order.split(BATCH):
        yield images[part], labels[part]


def fit(
    net: nn.Module, scores: Scores, images: torch.Tensor, labels: torch.Tensor, *, epochs: int, rate: float
) -> None:
    """Adam, cross entropy of the scores, learning rate falling to nothing."""
    net.train()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    steps = epochs * (-(-len(images) // BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    for epoch in range(epochs):
        for data, targets in batches(images, labels, epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(scores(net, data), targets).backward()
            optimizer.step()
            schedule.step()
    net.eval()


@torch.no_grad()
def accuracy(net: nn.Module, scores: Scores, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of images decided rightly."""
    net.eval()
    right = [scores(net, a).argmax(1) == b for a, b in zip(images.split(BATCH), labels.split(BATCH), strict=True)]
    return float(torch.cat(right).double().mean())
