"""SpikingJelly, after its tutorial's CSNN: convolution, batch norm, IF, max pooling, in multi-step mode."""

from __future__ import annotations

import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

STEPS = 4
EPOCHS, RATE = 2, 2e-3


class CSNN(nn.Module):
    """Narrower than the tutorial's; the mean over time of the last layer's spikes decides."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.conv_fc = nn.Sequential(
            layer.Conv2d(1, channels, kernel_size=3, padding=1, bias=False),
            layer.BatchNorm2d(channels),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
            layer.MaxPool2d(2, 2),
            layer.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            layer.BatchNorm2d(channels),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
            layer.MaxPool2d(2, 2),
            layer.Flatten(),
            layer.Linear(channels * 7 * 7, 128, bias=False),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
            layer.Linear(128, 10, bias=False),
            neuron.IFNode(surrogate_function=surrogate.ATan()),
        )
        functional.set_step_mode(self, step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x_seq = x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)
        return self.conv_fc(x_seq).mean(0)


Net = CSNN


def scores(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The network's own output, which is a mean of spikes, made steeper for the cross entropy."""
    functional.reset_net(net)
    out = net(images)
    functional.reset_net(net)
    return 4 * out
