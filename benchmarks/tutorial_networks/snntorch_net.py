"""snnTorch, after tutorials 5 and 6: a class whose `forward` holds the loop over time and hands the membranes on.

Tutorial 6 pools before the neurons; here max pooling stands behind them, where it is an OR of spikes. The last layer
does not reset, as in the tutorials on regression: its membrane decides.
"""

from __future__ import annotations

import snntorch as snn
import torch
import torch.nn.functional as F
from snntorch import surrogate
from torch import nn

STEPS = 5
EPOCHS, RATE = 4, 2e-3


class Net(nn.Module):
    """Two convolutions; the membranes of the last layer are recorded."""

    def __init__(self) -> None:
        super().__init__()
        spike_grad = surrogate.atan()
        self.conv1 = nn.Conv2d(1, 12, 5)
        self.lif1 = snn.Leaky(beta=0.7, spike_grad=spike_grad, learn_beta=True)
        self.conv2 = nn.Conv2d(12, 32, 5)
        self.lif2 = snn.Leaky(beta=0.7, spike_grad=spike_grad, learn_beta=True)
        self.fc1 = nn.Linear(32 * 4 * 4, 10)
        self.lif3 = snn.Leaky(beta=0.9, spike_grad=spike_grad, reset_mechanism="none")

    def forward(self, x):
        mem1, mem2, mem3 = self.lif1.init_leaky(), self.lif2.init_leaky(), self.lif3.init_leaky()
        mem3_rec = []
        cur1 = self.conv1(x)
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(cur1, mem1)
            spk2, mem2 = self.lif2(self.conv2(F.max_pool2d(spk1, 2)), mem2)
            _, mem3 = self.lif3(self.fc1(F.max_pool2d(spk2, 2).flatten(1)), mem3)
            mem3_rec.append(mem3)
        return torch.stack(mem3_rec)


def scores(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The last layer's membranes after the last step."""
    return net(images)[-1]
