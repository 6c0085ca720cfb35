"""snnTorch's other neurons and options, each in the small network that its documentation or example shows it in.

Sources: the class documentation of `Synaptic`, `Lapicque`, `RLeaky`, `RSynaptic` and `Alpha` (each has a two-layer
example with states handed from step to step), tutorials 2 and 4 (the neurons themselves), the two regression tutorials
(membranes as output, no reset), the example on the Alpha neuron, and the options that the examples switch on: learnable
decays and thresholds, reset to zero, weight norm, Lightning.
"""

from __future__ import annotations

import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn

from .entry import ZooNetwork, called_once
from .samples import digits, pixels, spectrum, spike_trains
from .snntorch_tutorials import loop_events, static


class SecondOrder(nn.Module):
    """Two layers of `Synaptic`, states by hand; `options` go to the neurons."""

    def __init__(self, num_steps: int = 20, **options: object):
        super().__init__()
        self.num_steps = num_steps
        self.fc1 = nn.Linear(64, 40)
        self.lif1 = snn.Synaptic(alpha=0.9, beta=0.8, **options)
        self.fc2 = nn.Linear(40, 10)
        self.lif2 = snn.Synaptic(alpha=0.9, beta=0.8, **options)

    def forward(self, x):
        syn1, mem1 = self.lif1.init_synaptic()
        syn2, mem2 = self.lif2.init_synaptic()
        spk2_rec, mem2_rec = [], []
        for _step in range(self.num_steps):
            cur1 = self.fc1(x)
            spk1, syn1, mem1 = self.lif1(cur1, syn1, mem1)
            cur2 = self.fc2(spk1)
            spk2, syn2, mem2 = self.lif2(cur2, syn2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec), torch.stack(mem2_rec)


class Recurrent(nn.Module):
    """Two layers of `RLeaky`: the first feeds all of its spikes back through weights, the second each to itself."""

    def __init__(self, num_steps: int = 20, **options: object):
        super().__init__()
        self.num_steps = num_steps
        self.fc1 = nn.Linear(64, 40)
        self.lif1 = snn.RLeaky(beta=0.9, linear_features=40, **options)
        self.fc2 = nn.Linear(40, 10)
        self.lif2 = snn.RLeaky(beta=0.9, V=torch.full((10,), 0.3), all_to_all=False, **options)

    def forward(self, x):
        spk1, mem1 = self.lif1.init_rleaky()
        spk2, mem2 = self.lif2.init_rleaky()
        spk2_rec = []
        for step in range(self.num_steps):
            spk1, mem1 = self.lif1(self.fc1(x[step]), spk1, mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), spk2, mem2)
            spk2_rec.append(spk2)
        return torch.stack(spk2_rec)


class RecurrentSecondOrder(nn.Module):
    """The regression tutorial on sequences: `RSynaptic`, then a readout whose last membrane is looked at."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(32, 40)
        self.lif1 = snn.RSynaptic(alpha=0.8, beta=0.9, linear_features=40)
        self.fc2 = nn.Linear(40, 10)
        self.lif2 = snn.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, x):
        spk1, syn1, mem1 = self.lif1.init_rsynaptic()
        mem2 = self.lif2.init_leaky()
        for step in range(x.shape[0]):
            spk1, syn1, mem1 = self.lif1(self.fc1(x[step].flatten(1)), spk1, syn1, mem1)
            _spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        return mem2


class RecurrentConvolution(nn.Module):
    """`RLeaky` over maps: spikes come back through a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.lif1 = snn.RLeaky(beta=0.8, conv2d_channels=6, kernel_size=3)
        self.fc = nn.Linear(6 * 64, 10)
        self.lif2 = snn.Leaky(beta=0.9)

    def forward(self, x):
        spk1, mem1 = self.lif1.init_rleaky()
        mem2 = self.lif2.init_leaky()
        spikes = []
        for _ in range(10):
            spk1, mem1 = self.lif1(self.conv(x), spk1, mem1)
            spk2, mem2 = self.lif2(self.fc(spk1.flatten(1)), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


class Circuit(nn.Module):
    """`Lapicque` by its resistance and capacitance, as tutorial 2 explains it, in two layers."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 40)
        self.lif1 = snn.Lapicque(R=5.0, C=1.0, time_step=1.0)
        self.fc2 = nn.Linear(40, 10)
        self.lif2 = snn.Lapicque(beta=0.8)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_lapicque(), self.lif2.init_lapicque()
        spk2_rec = []
        for _ in range(20):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spk2_rec.append(spk2)
        return torch.stack(spk2_rec)


class AlphaNeurons(nn.Module):
    """Two layers of `Alpha`, spikes in and spikes out."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 60)
        self.lif1 = snn.Alpha(alpha=0.8, beta=0.6)
        self.fc2 = nn.Linear(60, 10)
        self.lif2 = snn.Alpha(alpha=0.8, beta=0.6)

    def forward(self, x):
        exc1, inh1, mem1 = self.lif1.init_alpha()
        exc2, inh2, mem2 = self.lif2.init_alpha()
        spikes, membranes = [], []
        for step in range(x.shape[0]):
            spk1, exc1, inh1, mem1 = self.lif1(self.fc1(x[step]), exc1, inh1, mem1)
            spk2, exc2, inh2, mem2 = self.lif2(self.fc2(spk1), exc2, inh2, mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes, dim=0), torch.stack(membranes, dim=0)


class Regression(nn.Module):
    """The first regression tutorial: learnable decays, and an output neuron that is never reset."""

    def __init__(self, timesteps: int = 20, hidden: int = 40):
        super().__init__()
        self.timesteps = timesteps
        spike_grad = surrogate.atan()
        self.fc_in = nn.Linear(64, hidden)
        self.lif_in = snn.Leaky(beta=torch.rand(hidden), threshold=torch.rand(hidden) + 0.5, learn_beta=True,
                                spike_grad=spike_grad)  # fmt: skip
        self.fc_hidden = nn.Linear(hidden, hidden)
        self.lif_hidden = snn.Leaky(beta=torch.rand(hidden), learn_beta=True, learn_threshold=True,
                                    spike_grad=spike_grad)  # fmt: skip
        self.fc_out = nn.Linear(hidden, 1)
        self.li_out = snn.Leaky(beta=torch.rand(1), threshold=1.0, learn_beta=True, spike_grad=spike_grad,
                                reset_mechanism="none")  # fmt: skip

    def forward(self, x):
        mem_1, mem_2, mem_3 = self.lif_in.init_leaky(), self.lif_hidden.init_leaky(), self.li_out.init_leaky()
        mem_3_rec = []
        for _ in range(self.timesteps):
            spk_1, mem_1 = self.lif_in(self.fc_in(x), mem_1)
            spk_2, mem_2 = self.lif_hidden(self.fc_hidden(spk_1), mem_2)
            _, mem_3 = self.li_out(self.fc_out(spk_2), mem_3)
            mem_3_rec.append(mem_3)
        return torch.stack(mem_3_rec)


class SpokenBands(nn.Module):
    """Frames of a spectrum through `Conv1d`, dilated and grouped, one frame a step; reset to zero."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(2, 8, 5, padding=2)
        self.lif1 = snn.Leaky(beta=0.85, reset_mechanism="zero", init_hidden=True)
        self.conv2 = nn.Conv1d(8, 8, 3, padding=2, dilation=2, groups=4)
        self.lif2 = snn.Leaky(beta=0.85, reset_mechanism="zero", init_hidden=True)
        self.pool = nn.AvgPool1d(4)
        self.fc = nn.Linear(8 * 8, 10)
        self.lif3 = snn.Leaky(beta=0.9, reset_mechanism="zero", init_hidden=True, output=True)

    def forward(self, x):
        x = self.lif1(self.conv1(x))
        x = self.lif2(self.conv2(x))
        return self.lif3(self.fc(self.pool(x).view(x.size(0), -1)))


class LongShortTerm(nn.Module):
    """SLSTM's documentation: its gates are products of analogue values."""

    def __init__(self):
        super().__init__()
        self.slstm1 = snn.SLSTM(32, 24, threshold=0.1)
        self.slstm2 = snn.SLSTM(24, 10, threshold=0.1)

    def forward(self, x):
        syn1, mem1 = self.slstm1.init_slstm()
        syn2, mem2 = self.slstm2.init_slstm()
        spk2_rec = []
        for step in range(x.size(0)):
            spk1, syn1, mem1 = self.slstm1(x[step].flatten(1), syn1, mem1)
            spk2, syn2, mem2 = self.slstm2(spk1, syn2, mem2)
            spk2_rec.append(spk2)
        return torch.stack(spk2_rec)


def inhibited() -> nn.Module:
    """Leaky's option `inhibition`: of a layer only the neuron with the highest membrane may fire."""
    return nn.Sequential(
        nn.Linear(64, 40),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(40, 10),
        snn.Leaky(beta=0.9, init_hidden=True, inhibition=True, output=True),
    )


def immediate_reset() -> nn.Module:
    """Leaky's option `reset_delay=False`, by subtraction and to zero."""
    return nn.Sequential(
        nn.Linear(64, 40),
        snn.Leaky(beta=0.9, init_hidden=True, reset_delay=False),
        nn.Linear(40, 10),
        snn.Leaky(beta=0.9, init_hidden=True, reset_delay=False, reset_mechanism="zero", output=True),
    )


class StatesAsArguments(nn.Module):
    """The class documentation of `Leaky`: the script keeps the states, and `forward` takes and returns them."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 40)
        self.lif1 = snn.Leaky(beta=0.8)
        self.fc2 = nn.Linear(40, 10)
        self.lif2 = snn.Leaky(beta=0.8)

    def forward(self, x, mem1=None, mem2=None):
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        return spk2, mem1, mem2


def hand_states_on(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    mem1, mem2 = net.lif1.init_leaky(), net.lif2.init_leaky()
    spikes = []
    for _ in range(15):
        spk2, mem1, mem2 = net(x, mem1, mem2)
        spikes.append(spk2)
    return torch.stack(spikes).sum(0)


def weight_normed() -> nn.Module:
    """Weight norm on both linear layers."""
    norm = nn.utils.parametrizations.weight_norm
    return nn.Sequential(
        nn.Flatten(),
        norm(nn.Linear(64, 40)),
        snn.Leaky(beta=0.9, init_hidden=True, reset_mechanism="zero"),
        norm(nn.Linear(40, 10)),
        snn.Leaky(beta=0.9, init_hidden=True, output=True, reset_mechanism="zero"),
    )


def small_pixels() -> torch.Tensor:
    return pixels(size=8)


NETWORKS = [
    ZooNetwork("snntorch-synaptic", "snnTorch", "tutorial 4 and Synaptic's documentation", SecondOrder,
               small_pixels, 20, called_once),
    ZooNetwork("snntorch-synaptic-zero", "snnTorch", "the same, reset to zero",
               lambda: SecondOrder(reset_mechanism="zero"), small_pixels, 20, called_once),
    ZooNetwork("snntorch-rleaky", "snnTorch", "RLeaky's documentation, on spikes", Recurrent,
               lambda: spike_trains(20, size=8), 20, called_once, "time_first"),
    ZooNetwork("snntorch-rleaky-zero", "snnTorch", "the same, reset to zero",
               lambda: Recurrent(reset_mechanism="zero"), lambda: spike_trains(20, size=8), 20, called_once,
               "time_first"),
    ZooNetwork("snntorch-rleaky-conv", "snnTorch", "RLeaky's documentation, conv2d_channels", RecurrentConvolution,
               digits, 10, called_once),
    ZooNetwork("snntorch-rsynaptic", "snnTorch", "regression tutorial, part 2", RecurrentSecondOrder,
               lambda: spectrum(20), 20, called_once, "time_first"),
    ZooNetwork("snntorch-lapicque", "snnTorch", "tutorial 2 and Lapicque's documentation", Circuit,
               small_pixels, 20, called_once),
    ZooNetwork("snntorch-alpha", "snnTorch", "example on the Alpha neuron", AlphaNeurons,
               lambda: spike_trains(20), 20, called_once, "time_first",
               refused_for="two synaptic currents that a neuron's membrane is the difference of"),
    ZooNetwork("snntorch-regression", "snnTorch", "regression tutorial, part 1", Regression,
               small_pixels, 20, called_once),
    ZooNetwork("snntorch-conv1d", "snnTorch", "examples on spoken digits", SpokenBands,
               lambda: spectrum(20, channels=2), 20, loop_events, "time_first", "caller"),
    ZooNetwork("snntorch-states-as-arguments", "snnTorch", "Leaky's documentation", StatesAsArguments,
               small_pixels, 15, hand_states_on, loop="caller"),
    ZooNetwork("snntorch-weight-norm", "snnTorch", "Sequential with weight norm, reset to zero", weight_normed,
               digits, 10, static(10), loop="caller"),
    ZooNetwork("snntorch-immediate-reset", "snnTorch", "Leaky's documentation, reset_delay", immediate_reset,
               small_pixels, 15, static(15), loop="caller"),
    ZooNetwork("snntorch-inhibition", "snnTorch", "Leaky's documentation, inhibition", inhibited,
               small_pixels, 15, static(15), loop="caller",
               refused_for="neurons of a layer that silence each other within a step"),
    ZooNetwork("snntorch-slstm", "snnTorch", "SLSTM's documentation", LongShortTerm,
               lambda: spectrum(15), 15, called_once, "time_first",
               refused_for="products of analogue values (the gates of an LSTM)"),
]  # fmt: skip
