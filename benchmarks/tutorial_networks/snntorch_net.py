"""snnTorch, after tutorial 6: a class whose `forward` holds the loop over time and hands the membranes on.

The tutorial pools before the neurons; here max pooling stands behind them, where it is an OR of spikes.
"""

from __future__ import annotations

import snntorch as snn
import torch
import torch.nn.functional as F
from snntorch import surrogate
from torch import nn

STEPS = 5


class Net(nn.Module):
    """Two convolutions, spikes of the last layer counted."""

    def __init__(self) -> None:
        super().__init__()
        spike_grad = surrogate.fast_sigmoid(slope=25)
        self.conv1 = nn.Conv2d(1, 12, 5)
        self.lif1 = snn.Leaky(beta=0.7, spike_grad=spike_grad, learn_beta=True)
        self.conv2 = nn.Conv2d(12, 32, 5)
        self.lif2 = snn.Leaky(beta=0.7, spike_grad=spike_grad, learn_beta=True)
        self.fc1 = nn.Linear(32 * 4 * 4, 10)
        self.lif3 = snn.Leaky(beta=0.7, spike_grad=spike_grad)

    def forward(self, x):
        mem1, mem2, mem3 = self.lif1.init_leaky(), self.lif2.init_leaky(), self.lif3.init_leaky()
        spk3_rec, mem3_rec = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.conv1(x), mem1)
            spk2, mem2 = self.lif2(self.conv2(F.max_pool2d(spk1, 2)), mem2)
            spk3, mem3 = self.lif3(self.fc1(F.max_pool2d(spk2, 2).flatten(1)), mem3)
            spk3_rec.append(spk3)
            mem3_rec.append(mem3)
        return torch.stack(spk3_rec), torch.stack(mem3_rec)


def scores(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Spikes of the last layer, counted; in training also its membranes, which give a gradient where nothing fires."""
    spikes, membranes = net(images)
    return spikes.sum(0) + membranes.sum(0) if net.training else spikes.sum(0)
