"""PyTorch alone: a ReLU network, as its quick start has it, with convolutions and batch norm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

STEPS = 32  # of what it is converted to
EPOCHS, RATE = 3, 2e-3


class Net(nn.Module):
    """Average pooling: the maximum of rates is no rate."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24)
        self.conv2, self.bn2 = nn.Conv2d(24, 48, 3, padding=1), nn.BatchNorm2d(48)
        self.fc1, self.fc2 = nn.Linear(48 * 7 * 7, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.avg_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


def scores(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Its logits."""
    return net(images)
