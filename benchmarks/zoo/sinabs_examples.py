"""sinabs, its quickstart and tutorials.

Sources (sinabs.readthedocs.io): the quickstart (layers over [N, T, ...], and the squeezed forms that fold both into
one axis for convolutions), "weight transfer" (a trained ReLU network by `from_model`), N-MNIST, training through time,
and the pages on activations and neuron models. By default neurons may fire several times a step and subtract the
threshold as often; `SingleSpike` and `MembraneReset` are the other choices that the page on activations shows.
"""

from __future__ import annotations

import sinabs
import sinabs.layers as sl
import torch
from sinabs.activation import MembraneReset, SingleSpike
from sinabs.from_torch import from_model
from torch import nn

from .entry import ZooNetwork
from .samples import digits, events, spectrum, spike_trains

SAMPLES = 4  # the squeezed layers have to know


def reset_and_call(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """One call for all steps, from rest, as each batch of the tutorials."""
    sinabs.reset_states(model)
    return model(x)


def reset_and_sum(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The same on squeezed data, then the sum over time of each sample."""
    sinabs.reset_states(model)
    return model(x).unflatten(0, (SAMPLES, -1)).sum(1)


def reset_each_and_call(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The same where a layer has connections of its own: sinabs 3.1's `reset_states` passes over such a layer."""
    for module in model:
        if isinstance(module, sl.StatefulLayer):
            module.reset_states()
    return model(x)


def single() -> dict[str, object]:
    """One spike a step at most, then a reset to zero."""
    return {"spike_fn": SingleSpike, "reset_fn": MembraneReset()}


def quickstart() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), sl.LIF(tau_mem=20.0), nn.Linear(32, 4), sl.LIF(tau_mem=40.0))


def quickstart_single() -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, 32), sl.LIF(tau_mem=20.0, **single()), nn.Linear(32, 4), sl.LIF(tau_mem=40.0, **single())
    )


def quickstart_conv() -> nn.Module:
    """The quickstart's convolutions: nothing fires at the output."""
    return nn.Sequential(
        nn.Conv2d(2, 8, kernel_size=3, stride=2),
        sl.LIFSqueeze(tau_mem=20.0, batch_size=SAMPLES, **single()),
        nn.Conv2d(8, 12, kernel_size=3, stride=2),
        sl.LIFSqueeze(tau_mem=20.0, batch_size=SAMPLES, **single()),
        nn.Flatten(),
        nn.Linear(12 * 7 * 7, 4),
    )


def weight_transfer() -> nn.Module:
    """A ReLU network, and `from_model` as it comes: several spikes a step, membranes no lower than -1."""
    ann = nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(8, 12, 3, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(2, 2),
        nn.Dropout2d(0.5),
        nn.Flatten(),
        nn.Linear(12 * 5 * 5, 10, bias=False),
    )
    return from_model(ann, input_shape=(1, 28, 28), batch_size=SAMPLES, add_spiking_output=True)


def n_mnist() -> nn.Module:
    """Integrate and fire on events, as deployed on the authors' own chip."""
    spiking = {"batch_size": SAMPLES, "min_v_mem": -1.0}
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1, bias=False),
        sl.IAFSqueeze(**spiking),
        sl.SumPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1, bias=False),
        sl.IAFSqueeze(**spiking),
        sl.SumPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 8 * 8, 10, bias=False),
        sl.IAFSqueeze(**spiking),
    )


def recurrent() -> nn.Module:
    """Recurrent connections as a layer given to the neurons; a leaky readout."""
    return nn.Sequential(
        nn.Linear(32, 24),
        sl.LIFRecurrent(tau_mem=10.0, rec_connect=nn.Linear(24, 24, bias=False), **single()),
        nn.Linear(24, 10),
        sl.ExpLeak(tau_mem=20.0),
    )


def leaky_readout() -> nn.Module:
    return nn.Sequential(nn.Linear(28, 32), sl.IAF(**single()), nn.Linear(32, 10), sl.ExpLeak(tau_mem=10.0))


def synaptic() -> nn.Module:
    """Synapses with a time constant; decays trained as such, input not normalised."""
    return nn.Sequential(
        nn.Linear(28, 32),
        sl.LIF(tau_mem=10.0, tau_syn=5.0, norm_input=False, train_alphas=True, **single()),
        nn.Linear(32, 10),
        sl.LIF(tau_mem=15.0, tau_syn=5.0, norm_input=False, **single()),
    )


class Merged(nn.Module):
    """Two branches merged, convolutions repeated over time."""

    def __init__(self):
        super().__init__()
        self.conv1 = sl.Repeat(nn.Conv2d(2, 6, 3, stride=2, padding=1, bias=False))
        self.spk1 = sl.IAF(**single())
        self.conv2 = sl.Repeat(nn.Conv2d(6, 6, 3, padding=1, bias=False))
        self.spk2 = sl.IAF(**single())
        self.merge = sl.Merge()
        self.head = nn.Sequential(
            sl.Repeat(nn.AvgPool2d(4)), nn.Flatten(2), nn.Linear(6 * 4 * 4, 10), sl.IAF(**single())
        )

    def forward(self, x):
        first = self.spk1(self.conv1(x))
        second = self.spk2(self.conv2(first))
        return self.head(self.merge(first, second)).sum(1)


def squeezed_events(steps: int = 10) -> torch.Tensor:
    """Events with batch and time in one axis, [N * T, 2, 34, 34]."""
    return events(steps, SAMPLES).transpose(0, 1).flatten(0, 1)


def squeezed_images(steps: int = 20) -> torch.Tensor:
    """Spikes with each pixel's brightness as probability, [N * T, 1, 28, 28], as the tutorial makes them."""
    return spike_trains(steps, SAMPLES).transpose(0, 1).flatten(0, 1).unflatten(-1, (1, 28, 28))


def rows() -> torch.Tensor:
    """Images a row at a time, [N, 28, 28], as spikes."""
    return torch.bernoulli(digits(SAMPLES, 28)[:, 0], generator=torch.Generator().manual_seed(3))


def noise() -> torch.Tensor:
    """The quickstart's input."""
    return torch.rand(8, 30, 16, generator=torch.Generator().manual_seed(4))


NETWORKS = [
    ZooNetwork("sinabs-quickstart", "sinabs", "quickstart", quickstart, noise, 30, reset_and_call, "time_second"),
    ZooNetwork("sinabs-quickstart-single", "sinabs", "quickstart, activations: SingleSpike, MembraneReset",
               quickstart_single, noise, 30, reset_and_call, "time_second"),
    ZooNetwork("sinabs-quickstart-conv", "sinabs", "quickstart, squeezed", quickstart_conv, squeezed_events, 10,
               reset_and_sum, "squeezed"),
    ZooNetwork("sinabs-from-model", "sinabs", "tutorial on weight transfer", weight_transfer, squeezed_images, 20,
               reset_and_sum, "squeezed"),
    ZooNetwork("sinabs-n-mnist", "sinabs", "tutorial on N-MNIST", n_mnist, squeezed_events, 10, reset_and_sum,
               "squeezed"),
    ZooNetwork("sinabs-recurrent", "sinabs", "documentation of LIFRecurrent", recurrent,
               lambda: spectrum(20)[:, :, 0].transpose(0, 1), 20, reset_each_and_call, "time_second"),
    ZooNetwork("sinabs-leaky-readout", "sinabs", "tutorial on training through time, with ExpLeak", leaky_readout,
               rows, 28, reset_and_call, "time_second"),
    ZooNetwork("sinabs-synaptic", "sinabs", "neuron models: LIF with tau_syn", synaptic, rows, 28, reset_and_call,
               "time_second"),
    ZooNetwork("sinabs-merged", "sinabs", "documentation of Merge and Repeat", Merged,
               lambda: events(10, SAMPLES).transpose(0, 1), 10, reset_and_call, "time_second"),
]  # fmt: skip
