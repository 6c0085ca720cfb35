"""Plain PyTorch: ReLU networks to be converted, and spiking ones written by hand.

Sources: PyTorch's quickstart and its MNIST example (ReLU), a small residual network as torchvision writes them, the
SpyTorch tutorials of Zenke (synapse and membrane as lines in a loop, weights as plain tensors), and the neuron as a
module with a surrogate gradient that many papers' code has.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .entry import ZooNetwork, called_once
from .samples import digits, events, spike_trains


class SurrogateSpike(torch.autograd.Function):
    """A step forward, a fast sigmoid's slope backward."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output / (100.0 * x.abs() + 1.0) ** 2


class MultilayerPerceptron(nn.Module):
    """PyTorch's quickstart."""

    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
        )

    def forward(self, x):
        return self.linear_relu_stack(self.flatten(x))


class ConvReLU(nn.Module):
    """PyTorch's MNIST example: functions for ReLU and pooling, log_softmax at the end."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(16 * 12 * 12, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.dropout2(x)
        return F.log_softmax(self.fc2(x), dim=1)


class ResidualReLU(nn.Module):
    """A basic block between a stem and global average pooling."""

    def __init__(self, channels: int = 8):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, 10)

    def forward(self, x):
        identity = self.stem(x)
        out = self.relu(self.bn1(self.conv1(identity)))
        out = self.bn2(self.conv2(out))
        out += identity
        out = self.avgpool(self.relu(out))
        return self.fc(torch.flatten(out, 1))


class SpyTorch(nn.Module):
    """Two layers in loops of plain tensors: a spiking one, and a readout that only integrates."""

    def __init__(self, inputs: int = 784, hidden: int = 60, outputs: int = 10, alpha: float = 0.8, beta: float = 0.9):
        super().__init__()
        self.alpha, self.beta = alpha, beta
        scale = 7 * (1 - beta)
        self.w1 = nn.Parameter(torch.randn(inputs, hidden) * scale / inputs**0.5)
        self.w2 = nn.Parameter(torch.randn(hidden, outputs) * scale / hidden**0.5)

    def forward(self, inputs):
        h1 = torch.einsum("abc,cd->abd", (inputs, self.w1))
        syn = torch.zeros_like(h1[:, 0])
        mem = torch.zeros_like(h1[:, 0])
        spk_rec = []
        for t in range(inputs.shape[1]):
            out = SurrogateSpike.apply(mem - 1.0)
            rst = out.detach()
            new_syn = self.alpha * syn + h1[:, t]
            new_mem = (self.beta * mem + syn) * (1.0 - rst)
            spk_rec.append(out)
            mem, syn = new_mem, new_syn
        spk_rec = torch.stack(spk_rec, dim=1)

        h2 = torch.einsum("abc,cd->abd", (spk_rec, self.w2))
        flt = torch.zeros_like(h2[:, 0])
        out = torch.zeros_like(h2[:, 0])
        out_rec = [out]
        for t in range(inputs.shape[1]):
            new_flt = self.alpha * flt + h2[:, t]
            new_out = self.beta * out + flt
            flt, out = new_flt, new_out
            out_rec.append(out)
        return torch.stack(out_rec, dim=1), spk_rec


class HandWrittenLIF(nn.Module):
    """The neuron as many papers' code has it: charge, fire, hard reset, membrane kept in the module."""

    def __init__(self, tau: float = 0.5, threshold: float = 1.0):
        super().__init__()
        self.tau, self.threshold = tau, threshold
        self.mem = 0.0

    def forward(self, x):
        self.mem = self.tau * self.mem + x
        spike = SurrogateSpike.apply(self.mem - self.threshold)
        self.mem = (1 - spike) * self.mem
        return spike


class HandWrittenNet(nn.Module):
    """A network of them on event frames, a readout by the mean of the last layer's currents."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 8, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.lif1 = HandWrittenLIF()
        self.conv2 = nn.Conv2d(8, 8, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.lif2 = HandWrittenLIF()
        self.fc = nn.Linear(8 * 9 * 9, 10)

    def forward(self, x):
        for module in self.modules():
            if isinstance(module, HandWrittenLIF):
                module.mem = 0.0
        outs = []
        for t in range(x.size(0)):
            out = self.lif1(self.bn1(self.conv1(x[t])))
            out = self.lif2(self.bn2(self.conv2(out)))
            outs.append(self.fc(out.flatten(1)))
        return torch.stack(outs).mean(0)


class NeuronsOverTime(nn.Module):
    """Neurons that take [N, ..., T] and write each step's spikes where they read the last one's."""

    def forward(self, x):
        membrane, spikes = torch.zeros(x.shape[:-1]), torch.zeros(x.shape)
        for t in range(x.shape[-1]):
            membrane = 0.25 * membrane * (1 - spikes[..., max(t - 1, 0)]) + x[..., t]
            spikes[..., t] = SurrogateSpike.apply(membrane - 0.2)
        return spikes


class EachStep(nn.Module):
    """A layer for images or vectors, applied at every step of [N, ..., T]."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        outs = torch.zeros((*self.layer(x[..., 0]).shape, x.shape[-1]))
        for t in range(x.shape[-1]):
            outs[..., t] = self.layer(x[..., t])
        return outs


class TimeLast(nn.Module):
    """As code after the batch norm through time (STBP-tdBN) has it: time is the last axis of everything."""

    def __init__(self):
        super().__init__()
        self.conv1, self.pool = EachStep(nn.Conv2d(2, 6, 3, padding=1)), EachStep(nn.AvgPool2d(3))
        self.conv2, self.fc = EachStep(nn.Conv2d(6, 6, 3, padding=1)), EachStep(nn.Linear(6 * 6 * 6, 10))
        self.spike = NeuronsOverTime()

    def forward(self, x):
        x = self.pool(self.spike(self.conv1(x)))
        x = self.spike(self.conv2(x)).flatten(1, 3)
        return self.fc(x).sum(-1) / x.shape[-1]


class SpikingLayer(nn.Module):
    """Weights and neurons in one: a threshold and a decay a neuron are parameters."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.fc = nn.Linear(inputs, outputs)
        self.threshold = nn.Parameter(0.5 + torch.rand(outputs))
        self.decay = nn.Parameter(0.4 + 0.5 * torch.rand(outputs))
        self.v: torch.Tensor | None = None

    def forward(self, x):
        before = torch.zeros(x.shape[0], self.fc.out_features) if self.v is None else self.v
        charged = before * self.decay + 4 * self.fc(x)
        spikes = (charged >= self.threshold).to(x.dtype)
        self.v = charged * (1 - spikes)
        return spikes


class OwnWeights(nn.Module):
    """Two of them; which class fired most, as probabilities."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = SpikingLayer(64, 30), SpikingLayer(30, 10)

    def forward(self, x):
        self.hidden.v = self.out.v = None
        counts = sum(self.out(self.hidden(x[:, t])) for t in range(x.shape[1]))
        return torch.softmax(counts, dim=-1)


NETWORKS = [
    ZooNetwork("plain-relu-mlp", "PyTorch", "PyTorch's quickstart, to be converted", MultilayerPerceptron,
               lambda: digits(samples=128, size=28), 32, called_once, loop="none"),
    ZooNetwork("plain-relu-conv", "PyTorch", "PyTorch's MNIST example, to be converted", ConvReLU,
               lambda: digits(samples=128, size=28), 32, called_once, loop="none"),
    ZooNetwork("plain-relu-residual", "PyTorch", "torchvision's basic block, to be converted", ResidualReLU,
               lambda: digits(samples=128, size=16, channels=3), 32, called_once, loop="none"),
    ZooNetwork("plain-spytorch", "PyTorch", "SpyTorch tutorials", SpyTorch,
               lambda: spike_trains(30).transpose(0, 1), 30, called_once, "time_second"),
    ZooNetwork("plain-time-last", "PyTorch", "layers that take time as their last axis", TimeLast,
               lambda: events(8, size=18).movedim(0, -1), 8, called_once, "time_last"),
    ZooNetwork("plain-own-weights", "PyTorch", "layers with weights, thresholds and decays of their own", OwnWeights,
               lambda: spike_trains(20, size=8).transpose(0, 1), 20, called_once, "time_second"),
    ZooNetwork("plain-neuron-module", "PyTorch", "a neuron written as a module", HandWrittenNet,
               lambda: events(8), 8, called_once, "time_first"),
]  # fmt: skip
