"""SpikingJelly, Norse, sinabs, our own and hand-written neurons: over time in every form that they are called in."""

import io

import pytest
import torch
from torch import nn

import dalif_deploy
from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.neuron import DALIF
from dalif_deploy.reports.export_table import print_export

STEPS = 9


def moving(samples=4, *shape):
    return torch.rand(samples, STEPS, *(shape or (7,)), generator=torch.Generator().manual_seed(0)) * 1.2


def scaled(model, factor):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(factor)
    return model


def fired(source, x, moves=True):
    run = run_reference(source.graph, x.double().numpy(), dt=source.dt, steps=None if moves else STEPS)
    (found,) = run.outputs.values()
    return torch.from_numpy(found).float()


def spikingjelly(mode, neuron):
    jelly = pytest.importorskip("spikingjelly.activation_based", reason="SpikingJelly 2 needs Python 3.11")
    from spikingjelly.activation_based import functional, layer

    torch.manual_seed(0)
    model = scaled(
        nn.Sequential(layer.Linear(7, 12), neuron(jelly.neuron), layer.Linear(12, 5), jelly.neuron.IFNode()), 2
    )
    functional.set_step_mode(model, mode)
    return model


JELLY = {
    "IF": lambda n: n.IFNode(),
    "IF, soft": lambda n: n.IFNode(v_reset=None, v_threshold=0.7),
    "IF, value": lambda n: n.IFNode(v_reset=-0.2),
    "LIF": lambda n: n.LIFNode(tau=1.5),
    "LIF, input whole": lambda n: n.LIFNode(tau=3.0, decay_input=False, v_reset=None),
    "LIF, value": lambda n: n.LIFNode(tau=3.0, decay_input=False, v_reset=-0.1),
    "PLIF": lambda n: n.ParametricLIFNode(init_tau=1.7),
    "PLIF, input whole": lambda n: n.ParametricLIFNode(init_tau=3.0, decay_input=False),
}


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("neuron", JELLY.values(), ids=JELLY)
def test_spikingjelly(neuron, mode):
    model = spikingjelly(mode, neuron)
    from spikingjelly.activation_based import functional

    x = moving()
    source = source_of_module(model, x, time_axis=1)
    assert source.verification.layers[0].spikes > 10 and not source.verification.ties
    functional.reset_net(model)
    with torch.no_grad():
        own = model(x.transpose(0, 1)) if mode == "m" else torch.stack([model(each) for each in x.transpose(0, 1)])
    assert (fired(source, x) != own.transpose(0, 1)).float().mean() < 0.01
    assert source.verification.arithmetic == "float64"


def test_spikingjellys_time_is_found_without_being_told():
    source = source_of_module(spikingjelly("m", JELLY["LIF"]), moving()[:, 0], steps=5)
    assert source.verification.steps == 5


def norse_cell(kind, **options):
    norse = pytest.importorskip("norse.torch")
    torch.manual_seed(0)
    cell = {
        "LIF": lambda: norse.LIFCell(norse.LIFParameters(v_th=torch.tensor(0.3))),
        "box": lambda: norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.tensor(0.1))),
        "IAF": lambda: norse.IAFCell(),
        "recurrent": lambda: norse.LIFRecurrentCell(12, 12, norse.LIFParameters(v_th=torch.tensor(0.3))),
    }[kind]()
    return scaled(norse.SequentialState(nn.Linear(7, 12), cell, nn.Linear(12, 5), norse.LICell()), 2)


@pytest.mark.parametrize("kind", ["LIF", "box", "IAF", "recurrent"])
def test_norse_cells_with_a_readout_that_never_fires(kind):
    model, x = norse_cell(kind), moving()
    source = source_of_module(model, x, time_axis=1)
    assert source.verification.layers[0].spikes > 3
    assert source.graph.metadata["decision_what"] == "membrane"
    state, own = None, []
    with torch.no_grad():
        for each in x.transpose(0, 1):
            out, state = model(each, state)
            own.append(out)
    torch.testing.assert_close(fired(source, x), torch.stack(own, 1), rtol=1e-3, atol=1e-4)


def test_norse_lifted_over_time():
    norse = pytest.importorskip("norse.torch")
    torch.manual_seed(0)
    model = norse.SequentialState(
        norse.Lift(nn.Conv2d(1, 3, 3)), norse.LIF(norse.LIFParameters(v_th=torch.tensor(0.1))), nn.Flatten(2),
        nn.Linear(48, 5), norse.LIFRecurrent(5, 4),
    )  # fmt: skip
    x = moving(3, 1, 6, 6)
    source = source_of_module(scaled(model, 4), x.transpose(0, 1), time_axis=0)
    assert all(layer.spikes for layer in source.verification.layers)
    with torch.no_grad():
        own, _ = model(x.transpose(0, 1))
    assert (fired(source, x) != own.transpose(0, 1)).float().mean() < 0.01


def sinabs_net(squeezed, **options):
    layers = pytest.importorskip("sinabs.layers")
    torch.manual_seed(0)
    if squeezed:
        one, two = (
            layers.LIFSqueeze(tau_mem=8.0, num_timesteps=STEPS, **options),
            layers.IAFSqueeze(num_timesteps=STEPS),
        )
    else:
        one, two = layers.LIF(tau_mem=8.0, **options), layers.IAF()
    return scaled(nn.Sequential(nn.Linear(7, 12), one, nn.Linear(12, 5), two), 1.5)


@pytest.mark.parametrize("options", [{}, {"tau_syn": 3.0}, {"norm_input": False}], ids=str)
@pytest.mark.parametrize("squeezed", [False, True])
def test_sinabs(squeezed, options):
    model, x = sinabs_net(squeezed, **options), moving()
    example = x.flatten(0, 1) if squeezed else x
    scaled(model, 0.3 if options == {"norm_input": False} else 1.7)
    source = source_of_module(model, example, time_axis=None if squeezed else 1)
    assert source.verification.steps == STEPS and source.verification.layers[0].spikes > 3
    with torch.no_grad():
        own = model(example).reshape(4, STEPS, 5)
    assert (fired(source, x) != own).float().mean() < 0.01


@pytest.mark.parametrize("limit", [None, 3])
def test_sinabs_several_spikes_a_step_are_counted(limit):
    activation = pytest.importorskip("sinabs.activation")
    options = {} if limit is None else {"spike_fn": activation.MaxSpike(limit)}
    model, x = scaled(sinabs_net(False, norm_input=False, **options), 4), moving()
    source = source_of_module(model, x, time_axis=1)
    with torch.no_grad():
        own = model(x)
    assert own.max() > 1 and (fired(source, x) != own).float().mean() < 0.01
    (note,) = [note for note in source.verification.notes if note.startswith("1:")]
    assert note.endswith("the chip sends up to 3") if limit else "fired up to" in note


def test_sinabs_more_spikes_than_a_message_holds_are_refused():
    with pytest.raises(UserError, match=r"^1: fires \d+ spikes in one step; a neuron of the chip sends 255 at most"):
        source_of_module(scaled(sinabs_net(False, norm_input=False), 400), moving(), time_axis=1)


def test_sinabs_lower_bound_acts():
    activation = pytest.importorskip("sinabs.activation")
    model, x = sinabs_net(False, min_v_mem=-0.1, spike_fn=activation.SingleSpike, norm_input=False), moving()
    source = source_of_module(model, x, time_axis=1)
    with torch.no_grad():
        own = model(x)
    assert (fired(source, x) != own).float().mean() < 0.01
    (node,) = [n for n in source.graph.nodes.values() if "v_min" in (n.metadata or {})]
    node.metadata.pop("v_min")
    assert (fired(source, x) != own).any()  # and so it did act


def test_sinabs_options_that_did_not_act_are_told(tmp_path):
    """They would change a bit on other samples, so the export says that nobody has seen them."""
    activation = pytest.importorskip("sinabs.activation")
    bounded = sinabs_net(False, spike_fn=activation.SingleSpike)
    artefact = dalif_deploy.export(bounded, moving(), out=tmp_path / "out", target="nir", time_axis=1)
    wanted = [
        "3: may fire several times a step and never did on these samples; the chip fires once",
    ]
    assert artefact.export["verification"]["notes"] == wanted
    told = io.StringIO()
    print_export(artefact, stream=told)
    assert all(f"not verified: {note}\n" in told.getvalue() for note in wanted)


class HandWritten(nn.Module):
    """A neuron as people write it; how it resets is an option."""

    def __init__(self, reset):
        super().__init__()
        self.reset, self.v = reset, 0.0

    def forward(self, x):
        self.v = 0.8 * self.v + 0.5 * x
        spikes = (self.v >= 0.4).to(x.dtype)
        self.v = self.v * (1 - spikes) if self.reset == "zero" else self.v - 0.4 * spikes
        return spikes


class HandWrittenNet(nn.Module):
    def __init__(self, reset):
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.one, self.fc2, self.two = nn.Linear(7, 12), HandWritten(reset), nn.Linear(12, 5), DALIF()

    def forward(self, x):
        self.one.v = 0.0
        return self.two(torch.stack([self.fc2(self.one(self.fc1(each))) for each in x])).sum(0)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_neurons_written_by_hand_and_our_own_in_one_module(reset):
    model, x = scaled(HandWrittenNet(reset), 3), moving()
    source = source_of_module(model, x.transpose(0, 1), time_axis=0)
    assert all(layer.spikes > 10 for layer in source.verification.layers)
    assert source.graph.metadata["decision_over_time"] == "sum"
    with torch.no_grad():
        own = model(x.transpose(0, 1))
    assert (fired(source, x).sum(1) != own).float().mean() < 0.1
