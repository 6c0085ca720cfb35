"""snnTorch, as its tutorials have it.

The tutorials (snntorch.readthedocs.io, "Tutorials") train on MNIST and N-MNIST. Number 5 is a fully connected network
whose `forward` holds the loop over time and hands the membranes on; 6 a convolutional one, as a class and as a
`Sequential` with hidden states that the script loops over; 7 the same on events. Others: population coding, regression
(membranes as output), recurrent and second-order neurons. Samples here are scikit-learn's digits, enlarged, and
simulated events; layers are narrower.
"""

from __future__ import annotations

import snntorch as snn
import torch
import torch.nn.functional as F
from snntorch import spikegen, surrogate, utils
from torch import nn

from .entry import ZooNetwork, called_once, called_with_seed
from .samples import digits, events, pixels, spike_trains

CURRENTS = "max pooling over currents"  # these neurons add what arrives; a maximum of sums is not a sum


def loop_static(net: nn.Module, data: torch.Tensor, num_steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tutorial 6's forward_pass: the same image at each step of a net with hidden states."""
    mem_rec, spk_rec = [], []
    utils.reset(net)
    for _ in range(num_steps):
        spk_out, mem_out = net(data)
        spk_rec.append(spk_out)
        mem_rec.append(mem_out)
    return torch.stack(spk_rec), torch.stack(mem_rec)


def loop_events(net: nn.Module, data: torch.Tensor) -> torch.Tensor:
    """Tutorial 7's forward_pass: data is [T, N, ...]; only spikes are looked at."""
    spk_rec = []
    utils.reset(net)
    for step in range(data.size(0)):
        spk_out, _ = net(data[step])
        spk_rec.append(spk_out)
    return torch.stack(spk_rec)


def static(steps: int):
    return lambda net, data: loop_static(net, data, steps)


class FullyConnected(nn.Module):
    """Tutorial 5."""

    def __init__(self, num_inputs: int = 784, num_hidden: int = 100, num_outputs: int = 10, num_steps: int = 25):
        super().__init__()
        self.num_steps = num_steps
        self.fc1 = nn.Linear(num_inputs, num_hidden)
        self.lif1 = snn.Leaky(beta=0.95)
        self.fc2 = nn.Linear(num_hidden, num_outputs)
        self.lif2 = snn.Leaky(beta=0.95)

    def forward(self, x):
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for _step in range(self.num_steps):
            cur1 = self.fc1(x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


def conv_sequential() -> nn.Module:
    """Tutorial 6, the `Sequential`: pooling stands before the neurons."""
    spike_grad = surrogate.fast_sigmoid(slope=25)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5),
        nn.MaxPool2d(2),
        snn.Leaky(beta=0.5, spike_grad=spike_grad, init_hidden=True),
        nn.Conv2d(8, 16, 5),
        nn.MaxPool2d(2),
        snn.Leaky(beta=0.5, spike_grad=spike_grad, init_hidden=True),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
        snn.Leaky(beta=0.5, spike_grad=spike_grad, init_hidden=True, output=True),
    )


class ConvClass(nn.Module):
    """Tutorial 6, the class: one step a call, pooling of currents by `F.max_pool2d`."""

    def __init__(self, beta: float = 0.5):
        super().__init__()
        spike_grad = surrogate.fast_sigmoid(slope=25)
        self.conv1 = nn.Conv2d(1, 8, 5)
        self.lif1 = snn.Leaky(beta=beta, spike_grad=spike_grad)
        self.conv2 = nn.Conv2d(8, 16, 5)
        self.lif2 = snn.Leaky(beta=beta, spike_grad=spike_grad)
        self.fc1 = nn.Linear(16 * 4 * 4, 10)
        self.lif3 = snn.Leaky(beta=beta, spike_grad=spike_grad)

    def forward(self, x):
        batch_size = x.shape[0]
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        mem3 = self.lif3.init_leaky()
        spk3_rec = []
        for _ in range(10):
            spk1, mem1 = self.lif1(F.max_pool2d(self.conv1(x), 2), mem1)
            spk2, mem2 = self.lif2(F.max_pool2d(self.conv2(spk1), 2), mem2)
            spk3, mem3 = self.lif3(self.fc1(spk2.view(batch_size, -1)), mem3)
            spk3_rec.append(spk3)
        return torch.stack(spk3_rec)


def event_sequential() -> nn.Module:
    """Tutorial 7: here pooling stands after the neurons."""
    spike_grad = surrogate.atan()
    return nn.Sequential(
        nn.Conv2d(2, 8, 5),
        snn.Leaky(beta=0.5, spike_grad=spike_grad, init_hidden=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5),
        snn.Leaky(beta=0.5, spike_grad=spike_grad, init_hidden=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 10),
        snn.Leaky(beta=0.5, spike_grad=spike_grad, init_hidden=True, output=True),
    )


def norm_dropout_sequential() -> nn.Module:
    """The parts that examples add: batch norm, dropout, average pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, bias=False),
        nn.BatchNorm2d(12),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Dropout(0.2),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(12 * 4 * 4, 10),
        snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )


class Functional(nn.Module):
    """Functional pooling and flattening between modules; membranes at the end are averaged."""

    def __init__(self, num_steps: int = 12):
        super().__init__()
        self.num_steps = num_steps
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.lif1 = snn.Leaky(beta=0.8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.lif2 = snn.Leaky(beta=0.8)
        self.fc = nn.Linear(16 * 2 * 2, 10)
        self.lif3 = snn.Leaky(beta=0.9)

    def forward(self, x):
        mem1, mem2, mem3 = self.lif1.init_leaky(), self.lif2.init_leaky(), self.lif3.init_leaky()
        mems = []
        for _ in range(self.num_steps):
            spk1, mem1 = self.lif1(self.conv1(x), mem1)
            spk2, mem2 = self.lif2(self.conv2(F.avg_pool2d(spk1, 2)), mem2)
            _spk3, mem3 = self.lif3(self.fc(torch.flatten(F.avg_pool2d(spk2, 2), 1)), mem3)
            mems.append(mem3)
        return torch.stack(mems).mean(0)


class ResidualBlock(nn.Module):
    """Two convolutions and the block's input, added before the second neurons."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.lif1 = snn.Leaky(beta=0.9, init_hidden=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.lif2 = snn.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x):
        out = self.lif1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.lif2(out + x)


class Residual(nn.Module):
    """A small residual network, one step a call."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.lif = snn.Leaky(beta=0.9, init_hidden=True)
        self.block = ResidualBlock(8)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(32, 10)
        self.out = snn.Leaky(beta=0.9, init_hidden=True, output=True)

    def forward(self, x):
        x = self.block(self.lif(self.stem(x)))
        return self.out(self.fc(self.pool(x).flatten(1)))


def population() -> nn.Module:
    """Population coding: fifty output neurons for each class; `spk.view(..., 10)` sums them in the loss."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 128),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(128, 500),
        snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )


def population_votes(net: nn.Module, data: torch.Tensor) -> torch.Tensor:
    """Spikes summed over time and over the neurons of each class (as SF.ce_count_loss with population_code)."""
    spikes, _ = loop_static(net, data, 10)
    return spikes.sum(0).unflatten(1, (10, 50)).sum(-1)


class AutoEncoder(nn.Module):
    """The autoencoder tutorial: strided convolutions down, transposed ones up; the last membrane is the image."""

    def __init__(self, num_steps: int = 5):
        super().__init__()
        self.num_steps = num_steps
        spike_grad = surrogate.atan(alpha=2.0)
        options = {"beta": 0.5, "spike_grad": spike_grad, "init_hidden": True, "output": True}
        self.encoder = nn.Sequential(
            nn.ZeroPad2d(2),
            nn.Conv2d(1, 8, 3, padding=1, stride=2),
            nn.BatchNorm2d(8),
            snn.Leaky(beta=0.5, spike_grad=spike_grad, init_hidden=True),
            nn.Conv2d(8, 12, 3, padding=1, stride=2),
            nn.BatchNorm2d(12),
            snn.Leaky(beta=0.5, spike_grad=spike_grad, init_hidden=True),
            nn.Flatten(start_dim=1, end_dim=3),
            nn.Linear(12 * 8 * 8, 32),
            snn.Leaky(**options),
        )
        self.linear_net = nn.Sequential(nn.Linear(32, 12 * 8 * 8), snn.Leaky(**options))
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (12, 8, 8)),
            nn.ConvTranspose2d(12, 8, 3, padding=1, stride=2, output_padding=1),
            nn.BatchNorm2d(8),
            snn.Leaky(beta=0.5, spike_grad=spike_grad, init_hidden=True),
            nn.ConvTranspose2d(8, 1, 3, padding=1, stride=2, output_padding=1),
            snn.Leaky(reset_mechanism="none", threshold=20000, **options),
        )

    def forward(self, x):
        utils.reset(self.encoder)
        utils.reset(self.linear_net)
        utils.reset(self.decoder)
        spk_mem = [self.encoder(x) for _ in range(self.num_steps)]
        spk_mem2 = [self.linear_net(spk) for spk, _ in spk_mem]
        decoded = [self.decoder(spk) for spk, _ in spk_mem2]
        return decoded[-1][1]


def in_parallel() -> nn.Module:
    """The example on several devices wraps the network; here it has one."""
    return nn.DataParallel(norm_dropout_sequential())


def loop_wrapped(net: nn.DataParallel, data: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Tutorial 6's loop; snnTorch 1.0's `utils.reset` looks at children only, and so has to be given what is inside."""
    utils.reset(net.module)
    outs = [net(data) for _ in range(10)]
    return torch.stack([spk for spk, _ in outs]), torch.stack([mem for _, mem in outs])


class RateInForward(FullyConnected):
    """Tutorial 5's network with tutorial 1's rate coding within."""

    def forward(self, x):
        spikes = spikegen.rate(x, num_steps=self.num_steps)
        mem1, mem2, record = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for step in range(self.num_steps):
            spk1, mem1 = self.lif1(self.fc1(spikes[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            record.append(spk2)
        return torch.stack(record, dim=0)


NETWORKS = [
    ZooNetwork("snntorch-fully-connected", "snnTorch", "tutorial 5", FullyConnected, pixels, 25, called_once),
    ZooNetwork("snntorch-conv-sequential", "snnTorch", "tutorial 6, Sequential", conv_sequential,
               lambda: digits(size=28), 10, static(10), loop="caller", refused_for=CURRENTS),
    ZooNetwork("snntorch-conv-class", "snnTorch", "tutorial 6, class", ConvClass,
               lambda: digits(size=28), 10, called_once, refused_for=CURRENTS),
    ZooNetwork("snntorch-events", "snnTorch", "tutorial 7 (N-MNIST)", event_sequential,
               lambda: events(10), 10, loop_events, "time_first", "caller"),
    ZooNetwork("snntorch-norm-dropout", "snnTorch", "examples with batch norm and dropout", norm_dropout_sequential,
               digits, 10, static(10), loop="caller"),
    ZooNetwork("snntorch-functional", "snnTorch", "tutorial 6's class, with average pooling", Functional,
               digits, 12, called_once),
    ZooNetwork("snntorch-residual", "snnTorch", "spiking ResNet blocks", Residual,
               digits, 10, static(10), loop="caller"),
    ZooNetwork("snntorch-population", "snnTorch", "tutorial on population coding", population,
               lambda: digits(size=28), 10, population_votes, loop="caller"),
    ZooNetwork("snntorch-rate-coded", "snnTorch", "tutorials 1 and 3 (spikegen.rate)",
               lambda: nn.Sequential(nn.Linear(784, 100), snn.Leaky(beta=0.9, init_hidden=True), nn.Linear(100, 10),
                                     snn.Leaky(beta=0.9, init_hidden=True, output=True)),
               lambda: spike_trains(20), 20, loop_events, "time_first", "caller"),
    ZooNetwork("snntorch-autoencoder", "snnTorch", "tutorial on a spiking autoencoder", AutoEncoder,
               lambda: digits(size=28), 5, called_once, silent=("decoder.5",)),
    ZooNetwork("snntorch-data-parallel", "snnTorch", "utils.data_parallel's example", in_parallel,
               digits, 10, loop_wrapped, loop="caller"),
    ZooNetwork("snntorch-rate-in-forward", "snnTorch", "tutorial 1's spikegen.rate, in the forward",
               lambda: RateInForward(64, 40, num_steps=15), lambda: pixels(8, size=8), 15, called_with_seed,
               coded=True),
]  # fmt: skip
