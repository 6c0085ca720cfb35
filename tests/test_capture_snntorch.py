"""snnTorch: every neuron with the options that change a bit, whoever holds its state."""

import pytest
import torch
from torch import nn

from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference

snn = pytest.importorskip("snntorch")
STEPS = 15

NEURONS = {
    "Leaky": lambda **o: snn.Leaky(beta=0.9, **o),
    "Leaky, a decay a neuron": lambda **o: snn.Leaky(beta=torch.linspace(0, 1.1, 12), learn_beta=True, **o),
    "Leaky, thresholds": lambda **o: snn.Leaky(beta=0.8, threshold=torch.linspace(0.5, 1.5, 12), **o),
    "Lapicque": lambda **o: snn.Lapicque(R=2.0, C=3.0, time_step=1.0, **o),
    "Synaptic": lambda **o: snn.Synaptic(alpha=0.7, beta=0.8, **o),
    "RLeaky": lambda **o: snn.RLeaky(beta=0.9, linear_features=12, **o),
    "RLeaky, one to one": lambda **o: snn.RLeaky(beta=0.9, all_to_all=False, V=-0.4, **o),
    "RSynaptic": lambda **o: snn.RSynaptic(alpha=0.6, beta=0.7, linear_features=12, **o),
}
# late is snnTorch's default
RESETS = {
    "subtract, late": {"reset_mechanism": "subtract"},
    "subtract at once": {"reset_mechanism": "subtract", "reset_delay": False},
    "zero at once": {"reset_mechanism": "zero", "reset_delay": False},
    "zero, late": {"reset_mechanism": "zero"},
}
NO_DELAY_OPTION = "Lapicque"  # it resets late, always
BROKEN = {("RSynaptic", "subtract at once"), ("RSynaptic", "zero at once")}  # snnTorch 1.0 itself fails there


def network(neuron):
    torch.manual_seed(3)
    fc1, fc2 = nn.Linear(9, 12), nn.Linear(12, 5)
    with torch.no_grad():
        fc1.weight *= 1.5
        fc2.weight *= 3
    return nn.Sequential(fc1, neuron, fc2, snn.Leaky(beta=0.5, init_hidden=True, output=True))


def samples():
    return torch.rand(6, 9, generator=torch.Generator().manual_seed(0)) * 0.9


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("kind", NEURONS)
def test_neuron_fires_as_snntorch_does(kind, reset):
    options = dict(RESETS[reset])
    if (kind == NO_DELAY_OPTION and "reset_delay" in options) or (kind, reset) in BROKEN:
        pytest.skip("snnTorch has no such neuron")
    model = network(NEURONS[kind](init_hidden=True, **options)).eval()
    x = samples()
    source = source_of_module(model, x, steps=STEPS)
    hidden, *_ = source.verification.layers
    assert hidden.spikes > 5 and not source.verification.ties
    # the module by itself, in its own float32
    seen = []
    with torch.no_grad():
        for module in model.modules():
            if hasattr(module, "reset_mem"):
                module.reset_mem()
        seen = torch.stack([model(x)[0] for _ in range(STEPS)], 1)
    (found,) = run_reference(source.graph, x.double().numpy(), dt=source.dt, steps=STEPS).outputs.values()
    assert (torch.from_numpy(found) != seen).float().mean() < 0.01


class ByHand(nn.Module):
    """The same neuron module for two layers, its states passed by hand; membranes returned."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.fc2, self.fc3 = nn.Linear(9, 12), nn.Linear(12, 12), nn.Linear(12, 4)
        self.lif = snn.Leaky(beta=0.8, threshold=0.3)
        self.out = snn.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, x):
        one, two, out = self.lif.init_leaky(), self.lif.init_leaky(), self.out.init_leaky()
        for _ in range(STEPS):
            spikes, one = self.lif(self.fc1(x), one)
            spikes, two = self.lif(self.fc2(spikes), two)
            _, out = self.out(self.fc3(spikes), out)
        return out


def test_one_module_for_two_layers_and_a_readout_without_reset():
    model = ByHand()
    source = source_of_module(model, samples())
    assert [layer.layer for layer in source.verification.layers] == ["lif", "lif_2", "out"]
    assert source.steps == STEPS
    assert source.graph.metadata["decision_what"] == "membrane"
    assert source.graph.metadata["decision_over_time"] == "last"
    (found,) = run_reference(source.graph, samples().double().numpy(), dt=source.dt, steps=STEPS).outputs.values()
    torch.testing.assert_close(torch.from_numpy(found[:, -1]).float(), model(samples()).detach(), rtol=1e-4, atol=1e-5)


def test_what_the_chip_can_not_do_is_refused_by_name():
    x = samples()
    with pytest.raises(UserError, match=r"^1: inhibition=True"), pytest.warns(UserWarning):
        source_of_module(network(snn.Leaky(beta=0.5, inhibition=True, init_hidden=True)), x)
    with pytest.raises(UserError, match=r"^1: snnTorch's Alpha has two synaptic currents"):
        source_of_module(network(snn.Alpha(alpha=0.9, beta=0.8, init_hidden=True)), x)
    with pytest.raises(UserError, match=r"^1: neurons that fire and do not reset"):
        source_of_module(network(snn.Leaky(beta=0.5, reset_mechanism="none", init_hidden=True)), x)


class Meddles(ByHand):
    def forward(self, x):
        mem = self.lif.init_leaky()
        for _ in range(4):
            spikes, mem = self.lif(self.fc1(x), mem)
            mem = mem * 0.5
        return spikes


def test_a_state_that_the_caller_changes_is_refused():
    with pytest.raises(UserError, match="the state 'membrane' that is passed to this neuron is not what"):
        source_of_module(Meddles(), samples())


class Uneven(ByHand):
    def forward(self, x):
        mem, out = self.lif.init_leaky(), []
        for step in range(4):
            spikes, mem = self.lif((self.fc1 if step != 2 else self.fc2)(x), mem)
            out.append(spikes)
        return torch.stack(out)


def test_a_step_that_differs_is_named():
    model = Uneven()
    model.fc2 = nn.Linear(9, 12)
    with pytest.raises(UserError, match=r"^lif: step 2 computes something different from step 3: fc2\(.*against fc1\("):
        source_of_module(model, samples())


def test_the_module_is_left_at_rest_and_as_it_was():
    model = network(snn.Leaky(beta=0.9, init_hidden=True)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model(samples())[0].sum().backward()
    source_of_module(model, samples(), steps=STEPS)
    assert model.training and not model[1].mem.any()
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key])
