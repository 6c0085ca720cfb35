"""Neurons that a forward writes out itself, without a module: charge, compare, reset."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.hw_models.reference import run_reference

STEPS = 8


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.gt(0.5).float()

    @staticmethod
    def backward(ctx, grad):
        return grad


def updated(layer, x, membrane, spikes):
    membrane = membrane * 0.3 * (1.0 - spikes) + layer(x)
    return membrane, Step.apply(membrane)


class ByFunction(nn.Module):
    """States and spikes in plain tensors, updated by a function; the rate of the last layer is returned."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc1, self.fc2 = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(64, 20), nn.Linear(20, 5)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(2)

    def forward(self, x):
        n = x.size(0)
        c_mem = c_spike = torch.zeros(n, 4, 8, 8)
        h_mem = h_spike = torch.zeros(n, 20)
        o_mem = o_spike = total = torch.zeros(n, 5)
        for _ in range(STEPS):
            c_mem, c_spike = updated(self.conv, x, c_mem, c_spike)
            h_mem, h_spike = updated(self.fc1, F.avg_pool2d(c_spike, 2).view(n, -1), h_mem, h_spike)
            o_mem, o_spike = updated(self.fc2, h_spike, o_mem, o_spike)
            total = total + o_spike
        return total / STEPS


class Subtracts(nn.Module):
    def __init__(self, late):
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.late = nn.Linear(64, 20), late

    def forward(self, x):
        current = 2 * self.fc(x.flatten(1))
        membrane, spikes, out = torch.zeros_like(current), torch.zeros_like(current), []
        for _ in range(STEPS):
            membrane = 0.9 * membrane + current - (spikes if self.late else 0.0)
            spikes = (membrane > 1.0).to(x.dtype)
            if not self.late:
                membrane = membrane - spikes
            out.append(spikes)
        return torch.stack(out)


class WipesInput(Subtracts):
    def forward(self, x):
        current = self.fc(x.flatten(1))
        membrane, spikes = torch.zeros_like(current), torch.zeros_like(current)
        for _ in range(STEPS):
            membrane = (0.9 * membrane + current) * (1 - spikes)
            spikes = (membrane > 0.4).to(x.dtype)
        return spikes


def images():
    return torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("build", [ByFunction, lambda: Subtracts(False), lambda: Subtracts(True)])
def test_graph_fires_as_the_forward_does(build):
    model, x = build(), images()
    source = source_of_module(model, x)
    assert all(layer.spikes > 20 for layer in source.verification.layers)
    (found,) = run_reference(source.graph, x.double().numpy(), dt=source.dt, steps=STEPS).outputs.values()
    with torch.no_grad():
        own = model(x)
    found = torch.from_numpy(found).float()
    found = found.mean(1) if isinstance(model, ByFunction) else found.transpose(0, 1)
    assert (found - own).abs().gt(1e-6).float().mean() < 0.01


def test_a_spike_that_wipes_the_next_input_is_a_refractory_step():
    source = source_of_module(WipesInput(False), images())
    assert source.verification.layers[0].spikes > 5
    assert any((node.metadata or {}).get("refractory") == 1 for node in source.graph.nodes.values())
