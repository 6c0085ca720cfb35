"""Neurons, synapses and readouts as lines of a loop, in plain PyTorch, as papers' code and tutorials have them.

Sources: SpyTorch's recurrent tutorial; the code of STBP (pixels compared with random numbers in the forward), of
temporal efficient training, of DIET-SNN and of quantisation clip-floor-shift (QCFS); the Cosyne tutorial on surrogate
gradients; the neuron that snnTorch's tutorial 5 builds before it uses its own; a neuron in millivolts, as neuroscience
has it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .entry import ZooNetwork, called_once, called_with_seed
from .plain_torch import SurrogateSpike
from .samples import digits, events, pixels, spike_trains


class MaskedSpike(torch.autograd.Function):
    """SpyTorch's: ones are written where the input is above 0."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        out = torch.zeros_like(x)
        out[x > 0] = 1.0
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output / (100.0 * x.abs() + 1.0) ** 2


spike_fn = MaskedSpike.apply


class RecurrentSpyTorch(nn.Module):
    """Spikes of the step before come in with the data; the membrane is compared before it is charged."""

    def __init__(self, inputs: int = 100, hidden: int = 40, outputs: int = 10, alpha: float = 0.82, beta: float = 0.9):
        super().__init__()
        self.alpha, self.beta = alpha, beta
        scale = 7 * (1 - beta)
        self.w1 = nn.Parameter(torch.randn(inputs, hidden) * scale / inputs**0.5)
        self.v1 = nn.Parameter(torch.randn(hidden, hidden) * scale / hidden**0.5)
        self.w2 = nn.Parameter(torch.randn(hidden, outputs) * scale / hidden**0.5)

    def forward(self, inputs):
        from_input = torch.einsum("abc,cd->abd", (inputs, self.w1))
        out = syn = mem = torch.zeros_like(from_input[:, 0])
        spk_rec = []
        for t in range(inputs.shape[1]):
            h1 = from_input[:, t] + torch.einsum("ab,bc->ac", (out, self.v1))
            out = spike_fn(mem - 1.0)
            new_syn = self.alpha * syn + h1
            new_mem = (self.beta * mem + syn) * (1.0 - out.detach())
            spk_rec.append(out)
            mem, syn = new_mem, new_syn
        h2 = torch.einsum("abc,cd->abd", (torch.stack(spk_rec, dim=1), self.w2))
        flt = out = torch.zeros_like(h2[:, 0])
        out_rec = [out]
        for t in range(inputs.shape[1]):
            flt, out = self.alpha * flt + h2[:, t], self.beta * out + flt
            out_rec.append(out)
        maximum, _ = torch.max(torch.stack(out_rec, dim=1), 1)
        return F.log_softmax(maximum, dim=1)


def charged(layer, x, mem, spike):
    """STBP's update: half a volt fires."""
    mem = mem * 0.2 * (1.0 - spike) + layer(x)
    return mem, SurrogateSpike.apply(mem - 0.5)


class RandomCoding(nn.Module):
    """STBP's network: each step draws anew which pixels fire."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(8 * 4 * 4, 32), nn.Linear(32, 10)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(2.5)

    def forward(self, x, time_window: int = 12):
        n, size = x.size(0), x.size(-1)
        c1_mem = c1_spike = torch.zeros(n, 4, size, size)
        c2_mem = c2_spike = torch.zeros(n, 8, size // 2, size // 2)
        h1_mem = h1_spike = torch.zeros(n, 32)
        h2_mem = h2_spike = h2_sum = torch.zeros(n, 10)
        for _step in range(time_window):
            firing = x > torch.rand(x.size())
            c1_mem, c1_spike = charged(self.conv1, firing.float(), c1_mem, c1_spike)
            c2_mem, c2_spike = charged(self.conv2, F.avg_pool2d(c1_spike, 2), c2_mem, c2_spike)
            h1_mem, h1_spike = charged(self.fc1, F.avg_pool2d(c2_spike, 2).view(n, -1), h1_mem, h1_spike)
            h2_mem, h2_spike = charged(self.fc2, h1_spike, h2_mem, h2_spike)
            h2_sum = h2_sum + h2_spike
        return h2_sum / time_window


class LIFOverTime(nn.Module):
    """Temporal efficient training's neuron: [N, T, ...], a loop within."""

    def __init__(self, thresh: float = 1.0, tau: float = 0.5):
        super().__init__()
        self.thresh, self.tau = thresh, tau

    def forward(self, x):
        mem, spikes = 0, []
        for t in range(x.shape[1]):
            mem = mem * self.tau + x[:, t, ...]
            spike = SurrogateSpike.apply(mem - self.thresh)
            mem = (1 - spike) * mem
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class Folded(nn.Module):
    """Layers over [N, T, ...] with both axes in one."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        y = self.layers(x.flatten(0, 1).contiguous())
        return y.view(*x.shape[:2], *y.shape[1:])


class EfficientTraining(nn.Module):
    def __init__(self):
        super().__init__()
        norms = [nn.BatchNorm2d(n) for n in (6, 8)]
        for norm in norms:
            nn.init.constant_(norm.weight, 3.0)
        self.features = nn.Sequential(
            Folded(nn.Conv2d(2, 6, 3, 1, 1), norms[0]), LIFOverTime(), Folded(nn.AvgPool2d(2)),
            Folded(nn.Conv2d(6, 8, 3, 1, 1), norms[1]), LIFOverTime(), Folded(nn.AvgPool2d(2)),
        )  # fmt: skip
        self.classifier = Folded(nn.Linear(8 * 4 * 4, 10))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 2))


class LearnedLeaks(nn.Module):
    """DIET-SNN's: membranes over their thresholds, one comparison for the reset and one for the spikes."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.Linear(4 * 64, 32, bias=False)])
        self.last = nn.Linear(32, 10, bias=False)
        self.threshold = nn.ParameterList([torch.tensor(0.7), torch.tensor(0.4)])
        self.leak = nn.ParameterList([torch.tensor(0.95), torch.tensor(0.8)])
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.mul_(2.5)

    def forward(self, x, timesteps: int = 8):
        mem = [torch.zeros(len(x), 4, 16, 16), torch.zeros(len(x), 32)]
        result = torch.zeros(len(x), 10)
        for _ in range(timesteps):
            out = x
            for i, layer in enumerate(self.layers):
                mem[i] = self.leak[i] * mem[i] + layer(out)
                over = mem[i] / self.threshold[i] - 1.0
                mem[i] = mem[i] - self.threshold[i] * (over > 0).float()
                out = spike_fn(over)
                out = F.avg_pool2d(out, 2).flatten(1) if i == 0 else out
            result = result + self.last(out)
        return result


class HalfCharged(nn.Module):
    """QCFS' neuron: starts at half its threshold, and what it sends is the threshold."""

    def __init__(self, steps: int, thresh: float):
        super().__init__()
        self.steps, self.thresh = steps, nn.Parameter(torch.tensor([thresh]))

    def forward(self, x):
        x = x.view(self.steps, x.shape[0] // self.steps, *x.shape[1:])
        mem, out = 0.5 * self.thresh, []
        for t in range(self.steps):
            mem = mem + x[t]
            spike = (mem - self.thresh >= 0).to(x.dtype) * self.thresh
            mem = mem - spike
            out.append(spike)
        return torch.stack(out).flatten(0, 1)


class ClipFloorShift(nn.Module):
    def __init__(self, steps: int = 8):
        super().__init__()
        self.steps = steps
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), HalfCharged(steps, 0.3), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(4 * 64, 32), HalfCharged(steps, 0.1), nn.Linear(32, 10),
        )  # fmt: skip

    def forward(self, x):
        x = x.unsqueeze(0).repeat(self.steps, 1, 1, 1, 1).flatten(0, 1)
        return self.body(x).view(self.steps, -1, 10).mean(0)


class LeakyReadout(nn.Module):
    """Cosyne's: records begin with the state before the data; the readout leaks and never fires."""

    def __init__(self):
        super().__init__()
        self.w1, self.w2 = nn.Parameter(torch.randn(100, 30) * 0.15), nn.Parameter(torch.randn(30, 12) * 0.3)

    def layer(self, x, w, decay, fires):
        v = torch.zeros(x.shape[0], w.shape[1])
        record, h = [v], torch.einsum("abc,cd->abd", (x, w))
        for t in range(x.shape[1] - 1):
            v = decay * v + h[:, t, :]
            if fires:
                s = spike_fn(v - 1)
                v = (1 - s) * v
            record.append(s if fires else v)
        return torch.stack(record, dim=1)

    def forward(self, x):
        return torch.mean(self.layer(self.layer(x, self.w1, 0.95, True), self.w2, 0.98, False), 1)


class OwnLeaky(nn.Module):
    """snnTorch's tutorial 5 before it takes `snn.Leaky`: fires from the membrane that it is given."""

    def __init__(self, beta: float, threshold: float = 1.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, current, mem):
        spk = SurrogateSpike.apply(mem - self.threshold)
        reset = (self.beta * spk * self.threshold).detach()
        return spk, self.beta * mem + current - reset


class OwnLeakyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(100, 40), OwnLeaky(0.9)
        self.fc2, self.lif2 = nn.Linear(40, 10), OwnLeaky(0.8)
        with torch.no_grad():
            self.fc1.weight.mul_(2.0)
            self.fc2.weight.mul_(3.0)

    def forward(self, x):
        mem1, mem2, record = torch.zeros(x.size(1), 40), torch.zeros(x.size(1), 10), []
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            record.append(spk2)
        return torch.stack(record)


class Millivolts(nn.Module):
    """Rests at -65, fires at -50, resets to -70; a synapse with a current of its own."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 40), nn.Linear(40, 10)

    @staticmethod
    def neuron(v, i):
        v = v + (-(v + 65.0) + i) / 10.0
        s = (v >= -50.0).to(v.dtype)
        return v * (1 - s) - 70.0 * s, s

    def forward(self, x, steps: int = 25):
        v1, v2 = torch.full((len(x), 40), -65.0), torch.full((len(x), 10), -65.0)
        i2, counts = torch.zeros(len(x), 10), 0
        for _ in range(steps):
            v1, s1 = self.neuron(v1, 300.0 * self.fc1(x))
            i2 = 0.8 * i2 + 100.0 * self.fc2(s1)
            v2, s2 = self.neuron(v2, i2)
            counts = counts + s2
        return counts


NETWORKS = [
    ZooNetwork("plain-spytorch-recurrent", "PyTorch", "SpyTorch tutorial 4", RecurrentSpyTorch,
               lambda: spike_trains(30, size=10).transpose(0, 1), 30, called_once, "time_second"),
    ZooNetwork("plain-random-coding", "PyTorch", "code of STBP, random coding in the forward", RandomCoding,
               lambda: digits(8, size=16), 12, called_with_seed, coded=True),
    ZooNetwork("plain-efficient-training", "PyTorch", "code of temporal efficient training (TET)", EfficientTraining,
               lambda: events(6, size=16).transpose(0, 1), 6, called_once, "time_second"),
    ZooNetwork("plain-learned-leaks", "PyTorch", "code of DIET-SNN", LearnedLeaks,
               lambda: digits(8, size=16), 8, called_once),
    ZooNetwork("plain-clip-floor-shift", "PyTorch", "code of QCFS", ClipFloorShift,
               lambda: digits(8, size=16), 8, called_once),
    ZooNetwork("plain-leaky-readout", "PyTorch", "Cosyne tutorial on surrogate gradients", LeakyReadout,
               lambda: spike_trains(30, size=10).transpose(0, 1), 30, called_once, "time_second"),
    ZooNetwork("plain-own-leaky", "PyTorch", "the neuron that snnTorch's tutorial 5 builds itself", OwnLeakyNet,
               lambda: spike_trains(20, size=10), 20, called_once, "time_first"),
    ZooNetwork("plain-millivolts", "PyTorch", "neurons in millivolts, with a synaptic current", Millivolts,
               lambda: pixels(8, size=8), 25, called_once),
]  # fmt: skip
