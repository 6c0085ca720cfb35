"""dalif-deploy's own: networks from a spec, as `dalif-train` makes them, and the neuron in a module of one's own."""

from __future__ import annotations

from torch import nn

from dalif_deploy import DALIF
from dalif_deploy.networks import NetworkSpec, build_network

from .entry import ZooNetwork, called_once
from .samples import digits, events


def convolutional() -> nn.Module:
    return build_network(NetworkSpec(arch="cnn", input_shape=(1, 8, 8), classes=10, channels=[8, 12], strides=[1, 2]))


def residual() -> nn.Module:
    return build_network(
        NetworkSpec(arch="resnet", input_shape=(2, 34, 34), classes=10, channels=[6, 8], strides=[2, 2])
    )


class OwnModule(nn.Module):
    """Convolutions see time folded into the batch, the neuron sees [T, N, ...]."""

    def __init__(self, steps: int = 6):
        super().__init__()
        self.steps = steps
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.neuron1 = DALIF(reset="subtract")
        self.fc = nn.Linear(8 * 64, 10)
        self.neuron2 = DALIF(alpha_init=0.7, beta_init=0.8)

    def forward(self, x):
        current = self.conv(x).expand(self.steps, -1, -1, -1, -1)
        spikes = self.neuron1(current).flatten(0, 1)
        return self.neuron2(self.fc(spikes.flatten(1)).unflatten(0, (self.steps, -1))).sum(0)


NETWORKS = [
    ZooNetwork("dalif-conv", "dalif-deploy", "dalif-train --arch cnn", convolutional, digits, 4, called_once),
    ZooNetwork("dalif-residual", "dalif-deploy", "dalif-train --arch resnet, events", residual,
               lambda: events(6), 6, called_once, "time_first"),
    ZooNetwork("dalif-own-module", "dalif-deploy", "DALIF's documentation", OwnModule, digits, 6, called_once),
]  # fmt: skip
