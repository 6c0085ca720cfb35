"""Norse, after its MNIST example: a `SequentialState` with a leaky integrator at the end, stepped by a loop."""

from __future__ import annotations

import norse.torch as norse
import torch
from torch import nn

STEPS = 8
EPOCHS, RATE = 3, 5e-3


class ConvNet(nn.Module):
    """The membrane of the leaky integrators at the last step decides."""

    def __init__(self) -> None:
        super().__init__()
        p = norse.LIFParameters(tau_syn_inv=torch.tensor(500.0), tau_mem_inv=torch.tensor(400.0),
                                v_th=torch.tensor(0.4), alpha=torch.tensor(100.0))  # fmt: skip
        self.model = norse.SequentialState(
            nn.Conv2d(1, 12, 5),
            nn.BatchNorm2d(12),
            norse.LIFCell(p),
            nn.AvgPool2d(2),
            nn.Conv2d(12, 32, 5),
            nn.BatchNorm2d(32),
            norse.LIFCell(p),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 10),
            norse.LICell(norse.LIParameters(tau_syn_inv=torch.tensor(500.0), tau_mem_inv=torch.tensor(200.0))),
        )

    def forward(self, x):
        state = None
        for _ in range(STEPS):
            out, state = self.model(x, state)
        return out


Net = ConvNet


def scores(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Membranes at the last step."""
    return 3 * net(images)
