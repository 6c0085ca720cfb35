"""Norse, its README and its notebooks.

Sources: the README and the documentation of `SequentialState` (cells in a sequence that hands its states on; whole
sequences by `Lift`), the notebooks "mnist_classifiers" (an encoder, a recurrent or a convolutional network and a
decoder, in one module) and "parameter-learning", and the example on speech commands. States are returned and given
back at the next step; None starts from rest. Time constants are Norse's own, in seconds, with dt = 1 ms.
"""

from __future__ import annotations

import norse.torch as norse
import torch
import torch.nn.functional as F
from norse.torch.functional.leaky_integrator import LIParameters, LIState, li_feed_forward_step
from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters, lif_feed_forward_step
from norse.torch.functional.lif_refrac import LIFRefracParameters
from norse.torch.module.lif_refrac import LIFRefracCell
from torch import nn

from .entry import ZooNetwork, called_once
from .samples import digits, events, pixels, spectrum, spike_trains


def hand_state_on(steps: int):
    """A module of one step that returns its state: the same image at each step, the last output is looked at."""

    def run(model: nn.Module, data: torch.Tensor) -> torch.Tensor:
        state = None
        for _ in range(steps):
            out, state = model(data, state)
        return out

    return run


def hand_state_on_over_time(model: nn.Module, data: torch.Tensor) -> torch.Tensor:
    """The same on [T, N, ...]; outputs are stacked."""
    state, outs = None, []
    for x in data:
        out, state = model(x, state)
        outs.append(out)
    return torch.stack(outs)


def only_output(model: nn.Module, data: torch.Tensor) -> torch.Tensor:
    """A module that goes through time by itself and returns (output, state)."""
    out, _state = model(data)
    return out


def readme() -> nn.Module:
    """The README's network: cells between layers of torch.nn, and an integrator that is read."""
    return norse.SequentialState(
        nn.Conv2d(1, 8, 5, 1),
        norse.LIFCell(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(8, 16, 5, 1),
        norse.LIFCell(),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
        norse.LICell(),
    )


def lifted() -> nn.Module:
    """Whole sequences: layers of torch.nn are lifted over time."""
    return norse.SequentialState(
        norse.Lift(nn.Conv2d(2, 6, 3, stride=2)),
        norse.LIF(),
        norse.Lift(nn.AvgPool2d(2)),
        nn.Flatten(2),
        norse.Lift(nn.Linear(6 * 8 * 8, 10)),
        norse.LI(),
    )


def lifted_recurrent() -> nn.Module:
    """SequentialState's own example: recurrent layers, spikes at the output."""
    return norse.SequentialState(
        norse.Lift(nn.Conv2d(1, 4, 3)),
        nn.Flatten(2),
        norse.LIFRecurrent(4 * 6 * 6, 30),
        norse.LIFRecurrent(30, 10),
    )


class RecurrentSNN(nn.Module):
    """The notebook's first network: a recurrent cell with weights of its own, and a readout."""

    def __init__(self, input_features: int, hidden_features: int, output_features: int, dt: float = 0.001):
        super().__init__()
        self.l1 = norse.LIFRecurrentCell(
            input_features, hidden_features, p=norse.LIFParameters(alpha=100, v_th=torch.tensor(0.5)), dt=dt
        )
        self.input_features = input_features
        self.fc_out = nn.Linear(hidden_features, output_features, bias=False)
        self.out = norse.LICell(dt=dt)

    def forward(self, x):
        seq_length, _batch_size, _, _, _ = x.shape
        s1 = so = None
        voltages = []
        for ts in range(seq_length):
            z = x[ts, :, :, :].view(-1, self.input_features)
            z, s1 = self.l1(z, s1)
            z = self.fc_out(z)
            vo, so = self.out(z, so)
            voltages += [vo]
        return torch.stack(voltages)


class ConvSNN(nn.Module):
    """The notebook's second: pooling by function, currents times ten."""

    def __init__(self, num_channels: int = 1, feature_size: int = 28):
        super().__init__()
        self.features = int(((feature_size - 4) / 2 - 4) / 2)
        self.conv1 = nn.Conv2d(num_channels, 8, 5, 1)
        self.conv2 = nn.Conv2d(8, 12, 5, 1)
        self.fc1 = nn.Linear(self.features * self.features * 12, 50)
        self.lif0 = norse.LIFCell(p=norse.LIFParameters(alpha=100))
        self.lif1 = norse.LIFCell(p=norse.LIFParameters(alpha=100))
        self.lif2 = norse.LIFCell(p=norse.LIFParameters(alpha=100))
        self.out = norse.LILinearCell(50, 10)

    def forward(self, x):
        seq_length, batch_size = x.shape[0], x.shape[1]
        s0 = s1 = s2 = so = None
        voltages = torch.zeros(seq_length, batch_size, 10, device=x.device, dtype=x.dtype)
        for ts in range(seq_length):
            z = self.conv1(x[ts, :])
            z, s0 = self.lif0(z, s0)
            z = F.max_pool2d(z, 2, 2)
            z = 10 * self.conv2(z)
            z, s1 = self.lif1(z, s1)
            z = F.max_pool2d(z, 2, 2)
            z = z.view(-1, self.features**2 * 12)
            z = self.fc1(z)
            z, s2 = self.lif2(z, s2)
            v, so = self.out(F.relu(z), so)
            voltages[ts, :, :] = v
        return voltages


def decode(x: torch.Tensor) -> torch.Tensor:
    """The largest membrane over time."""
    x, _ = torch.max(x, 0)
    return F.log_softmax(x, dim=1)


class Model(nn.Module):
    """Encoder, network and decoder in one, as the notebook composes them."""

    def __init__(self, encoder, snn, decoder):
        super().__init__()
        self.encoder, self.snn, self.decoder = encoder, snn, decoder

    def forward(self, x):
        return self.decoder(self.snn(self.encoder(x)))


class SpeechCommands(nn.Module):
    """The example on speech commands: the last membrane of the readout decides."""

    def __init__(self, n_input: int = 32, n_features: int = 40, n_output: int = 10):
        super().__init__()
        self.cell = norse.LIFRecurrentCell(n_input, n_features)
        self.readout = norse.LILinearCell(n_features, n_output)

    def forward(self, x):
        s = so = None
        for ts in range(x.shape[0]):
            z, s = self.cell(x[ts, :], s)
            v, so = self.readout(z, so)
        return F.log_softmax(v, dim=1)


def boxes() -> nn.Module:
    """Cells without a synaptic current."""
    return norse.SequentialState(
        nn.Linear(64, 40), norse.LIFBoxCell(), nn.Dropout(0.1), nn.Linear(40, 10), norse.LIBoxCell()
    )


def integrate_and_fire() -> nn.Module:
    return norse.SequentialState(
        nn.Conv2d(1, 6, 3, padding=1, padding_mode="replicate"), norse.IAFCell(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(96, 10), norse.IAFCell(),
    )  # fmt: skip


class LearnedTimeConstants(nn.Module):
    """The notebook on parameters: time constants and thresholds of each neuron, and a reset below rest."""

    def __init__(self, hidden: int = 40):
        super().__init__()
        self.fc1 = nn.Linear(64, hidden)
        self.tau_mem_inv = nn.Parameter(60 + 100 * torch.rand(hidden))
        self.lif = norse.LIFCell(
            norse.LIFParameters(
                tau_mem_inv=self.tau_mem_inv,
                tau_syn_inv=torch.as_tensor(300.0),
                v_th=0.4 + 0.2 * torch.rand(hidden),
                v_reset=torch.as_tensor(-0.1),
            )
        )
        self.fc2 = nn.Linear(hidden, 10)
        self.out = norse.LICell(norse.LIParameters(tau_mem_inv=torch.as_tensor(50.0)))

    def forward(self, x):
        s = so = None
        voltages = []
        for ts in range(x.shape[0]):
            z, s = self.lif(self.fc1(x[ts]), s)
            v, so = self.out(self.fc2(z), so)
            voltages.append(v)
        return torch.stack(voltages).mean(0)


def refractory() -> nn.Module:
    """Neurons that stay silent for three steps after each spike."""
    neurons = LIFRefracParameters(lif=norse.LIFParameters(v_th=torch.as_tensor(0.3)), rho_reset=torch.as_tensor(3.0))
    return norse.SequentialState(
        nn.Flatten(), nn.Linear(64, 40), LIFRefracCell(neurons), nn.Linear(40, 10), norse.LICell()
    )


class Functional(nn.Module):
    """Norse's functional interface: states as tuples, parameters beside them."""

    def __init__(self, hidden: int = 30):
        super().__init__()
        self.w, self.out = nn.Linear(64, hidden, bias=False), nn.Linear(hidden, 10, bias=False)
        nn.init.normal_(self.w.weight, std=0.5)

    def forward(self, x):
        z = self.w(x[0])
        s = LIFFeedForwardState(v=torch.zeros_like(z), i=torch.zeros_like(z))
        so = LIState(v=torch.zeros(len(z), 10), i=torch.zeros(len(z), 10))
        voltages = []
        for step in x:
            z, s = lif_feed_forward_step(self.w(step), s, LIFParameters(), dt=0.001)
            v, so = li_feed_forward_step(self.out(z), so, LIParameters(), dt=0.001)
            voltages.append(v)
        return torch.stack(voltages)


class Policy(nn.Module):
    """Observations above and below 0 as currents into two encoders; the largest voltage decides."""

    def __init__(self, steps: int = 30):
        super().__init__()
        self.encoder = norse.ConstantCurrentLIFEncoder(steps)
        self.lif = norse.LIFRecurrentCell(8, 40, p=norse.LIFParameters(method="super", alpha=100.0))
        self.dropout, self.readout = nn.Dropout(0.5), norse.LILinearCell(40, 2)

    def forward(self, x):
        x = torch.cat([self.encoder(F.relu(50 * x)), self.encoder(F.relu(-50 * x))], dim=2)
        voltages = torch.zeros(*x.shape[:2], 2)
        s = so = None
        for step in range(len(x)):
            z, s = self.lif(x[step], s)
            voltages[step], so = self.readout(self.dropout(z), so)
        return F.softmax(torch.max(voltages, 0)[0], dim=1)


def observations() -> torch.Tensor:
    """Positions and speeds of a cart and its pole, made up, [8, 4]."""
    return torch.rand(8, 4, generator=torch.Generator().manual_seed(3)) - 0.5


T = 32
NETWORKS = [
    ZooNetwork("norse-readme", "Norse", "README", readme, lambda: digits(size=28), T, hand_state_on(T), loop="caller"),
    ZooNetwork("norse-lifted", "Norse", "documentation of Lift and SequentialState", lifted,
               lambda: events(20), 20, only_output, "time_first"),
    ZooNetwork("norse-lifted-recurrent", "Norse", "documentation of SequentialState", lifted_recurrent,
               lambda: spike_trains(T, size=8).unflatten(-1, (1, 8, 8)), T, only_output, "time_first"),
    ZooNetwork("norse-recurrent-cell", "Norse", "notebook mnist_classifiers, SNN with decoder",
               lambda: Model(nn.Identity(), RecurrentSNN(784, 50, 10), decode),
               lambda: spike_trains(T).unflatten(-1, (1, 28, 28)), T, called_once, "time_first"),
    ZooNetwork("norse-encoder", "Norse", "notebook mnist_classifiers, SNN with encoder and decoder",
               lambda: Model(norse.ConstantCurrentLIFEncoder(T), RecurrentSNN(784, 50, 10), decode),
               lambda: 3 * digits(size=28), T, called_once),
    ZooNetwork("norse-conv", "Norse", "notebook mnist_classifiers, ConvNet", ConvSNN,
               lambda: spike_trains(T).unflatten(-1, (1, 28, 28)), T, called_once, "time_first"),
    ZooNetwork("norse-speech", "Norse", "task speech_commands", SpeechCommands,
               lambda: spectrum(T)[:, :, 0], T, called_once, "time_first"),
    ZooNetwork("norse-box", "Norse", "documentation of LIFBoxCell", boxes, lambda: pixels(size=8), T,
               hand_state_on(T), loop="caller"),
    ZooNetwork("norse-integrate-and-fire", "Norse", "documentation of IAFCell", integrate_and_fire,
               lambda: spike_trains(12, size=8).unflatten(-1, (1, 8, 8)), 12, hand_state_on_over_time, "time_first",
               "caller"),
    ZooNetwork("norse-time-constants", "Norse", "notebook parameter-learning", LearnedTimeConstants,
               lambda: spike_trains(T, size=8), T, called_once, "time_first"),
    ZooNetwork("norse-refractory", "Norse", "documentation of LIFRefracCell", refractory, digits, T, hand_state_on(T),
               loop="caller"),
    ZooNetwork("norse-functional", "Norse", "functional interface, lif_feed_forward_step", Functional,
               lambda: spike_trains(16, size=8), 16, called_once, "time_first"),
    ZooNetwork("norse-policy", "Norse", "task cartpole", Policy, observations, 30, called_once, coded=True),
]  # fmt: skip
