"""Modules of other frameworks, exported from memory: the graph must fire as the module does."""

import numpy as np
import pytest
import torch
from torch import nn

import dalif_deploy
from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference

STEPS = 12


@pytest.fixture
def x():
    return torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def louder(model, factor):
    """Weights with which every layer fires."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(factor)
    return model


def snntorch_net(beta=0.9, **options):
    snn = pytest.importorskip("snntorch")
    torch.manual_seed(1)
    return louder(
        nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            snn.Leaky(beta=beta, init_hidden=True, **options),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 10),
            snn.Leaky(beta=0.8, learn_beta=True, init_hidden=True, output=True, **options),
        ),
        3,
    )


def spikingjelly_net(**options):
    pytest.importorskip("spikingjelly", reason="SpikingJelly 2 needs Python 3.11")
    from spikingjelly.activation_based import layer, neuron

    torch.manual_seed(1)
    return louder(
        nn.Sequential(
            layer.Conv2d(1, 4, 3, padding=1),
            neuron.LIFNode(tau=2.0, **options),
            layer.AvgPool2d(2),
            layer.Flatten(),
            layer.Linear(64, 10),
            neuron.ParametricLIFNode(**options),
        ),
        12,
    )


def norse_net(v_reset=-0.1):
    norse = pytest.importorskip("norse.torch")
    torch.manual_seed(1)
    parameters = norse.LIFBoxParameters(
        tau_mem_inv=torch.tensor(300.0),
        v_th=torch.tensor(0.3),
        v_reset=torch.tensor(v_reset),
        v_leak=torch.tensor(-0.1),
    )
    return louder(
        norse.SequentialState(
            nn.Conv2d(1, 4, 3, padding=1),
            norse.LIFBoxCell(parameters),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 10),
            norse.LIFCell(norse.LIFParameters(v_th=torch.tensor(0.2))),
        ),
        5,
    )


NETS = {
    "snntorch, its defaults: subtract, a step late": snntorch_net,
    "snntorch, no leak": lambda: snntorch_net(beta=1.2),
    "snntorch, zero": lambda: snntorch_net(reset_mechanism="zero"),
    "spikingjelly, hard reset": lambda: spikingjelly_net(v_reset=0.0),
    "spikingjelly, soft reset": lambda: spikingjelly_net(v_reset=None),
    "norse, v_reset and LIFCell": norse_net,
}


def outputs(model, x):
    """Spikes [T, N, 10] by the framework alone."""
    seen, state = [], None
    kind = type(model).__name__
    for module in model.modules():
        if hasattr(module, "reset_mem"):
            module.reset_mem()
    for _ in range(STEPS):
        with torch.no_grad():
            out = model(x, state) if kind == "SequentialState" else model(x)
        if isinstance(out, tuple):
            out, state = out
        seen.append(out)
    return torch.stack(seen)


@pytest.mark.parametrize("build", [snntorch_net, spikingjelly_net], ids=["snntorch", "spikingjelly"])
def test_module_fresh_from_training_is_read(build, x):
    model = build()
    model(x)[0].sum().backward()
    for _ in range(2):
        model(x)
    assert source_of_module(model, x).graph.nodes


@pytest.mark.parametrize("build", NETS.values(), ids=NETS)
def test_graph_fires_as_the_module_does(build, x):
    model = build()
    own = outputs(model, x).transpose(0, 1).numpy()
    assert 0.05 < own.mean() < 0.95
    before = {key: value.clone() for key, value in model.state_dict().items()}
    source = source_of_module(model, x)
    run = run_reference(source.graph, x.double().numpy(), dt=source.dt, steps=STEPS)
    (found,) = run.outputs.values()
    # float32 against float64: a membrane within rounding of the threshold may decide otherwise
    assert (found.reshape(own.shape) != own).mean() < 0.005
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key])


def test_module_exports_and_its_integers_stay_near(x, tmp_path):
    model = snntorch_net()
    spikes = (x > 0.6).float()
    own = outputs(model, spikes).transpose(0, 1).numpy()
    net = dalif_deploy.export(model, spikes, out=tmp_path / "out", steps=STEPS)
    labels = own.sum(1).argmax(1)
    figures = dalif_deploy.simulate(net, (spikes.numpy(), labels))
    assert figures.samples == 4 and figures.accuracy >= 0.75
    assert net.export["verification"]["layers"][0]["spikes"] > 0 and net.export["verification"]["ties"] == []
    assert net.export["source"]["file"] == "Sequential" and net.export["dt_from"] == "snntorch"


def test_neurons_that_the_frameworks_writers_refuse_are_taken(x):
    snn = pytest.importorskip("snntorch")
    late = {"reset_mechanism": "subtract", "reset_delay": True, "init_hidden": True}
    for neuron in (snn.Synaptic(alpha=0.6, beta=0.5, **late), snn.RLeaky(beta=0.5, all_to_all=False, **late)):
        source = source_of_module(nn.Sequential(nn.Flatten(), neuron), x)
        assert source.verification.layers[0].spikes
    source = source_of_module(nn.Sequential(nn.Flatten(), snn.Leaky(beta=0.5)), x)  # its state is passed by hand
    assert source.verification.layers[0].spikes


def test_silent_layers_are_told_and_stop_nothing(x):
    quiet = louder(snntorch_net(threshold=1e3), 0)
    one, two = source_of_module(quiet, x).verification.silent
    assert (one.layer, two.layer) == ("1", "5")
    assert 0 < one.nearest < 0.01 and one.spikes == 0


def test_what_can_not_be_said_is_refused(x):
    with pytest.raises(UserError, match=r"^1: neurons that fire and do not reset"):
        source_of_module(snntorch_net(reset_mechanism="none"), x)
    # twice the threshold in one step: snnTorch then subtracts again a step later, without a spike
    loud = louder(snntorch_net(reset_mechanism="subtract", reset_delay=False), 3)
    with pytest.raises(UserError, match=r"^[15]: at step \d+ of sample \d+, neuron \[.*\] (has|fires|stays)"):
        source_of_module(loud, x)
    # Norse's first membrane is v_leak, NIR's the reset value
    assert source_of_module(norse_net(v_reset=-0.5), x).verification.layers[0].spikes
    with pytest.raises(UserError, match="no neurons of a known framework"):
        source_of_module(nn.Sequential(nn.Linear(8, 2)), x)
    with pytest.raises(UserError, match="give example_input"):
        dalif_deploy.export(snntorch_net(), out="nowhere")


def test_graphs_in_memory_and_labels(tmp_path):
    from tests.nir_networks import DT, image_network

    rng = np.random.default_rng(0)
    net = dalif_deploy.export(
        image_network(rng),
        out=tmp_path / "out",
        dt=DT,
        steps=4,
        input_mode="graded",
        calibrate=rng.random((8, 1, 8, 8)),
    )
    assert net.export["calibration"] == {"data": "samples given", "samples": 8}
    again = dalif_deploy.load(tmp_path / "out")
    images = rng.random((5, 1, 8, 8))
    one, two = (dalif_deploy.simulate(net, images, engine=engine) for engine in ("fast", "nir"))
    assert sum(a == b for a, b in zip(one.predicted, two.predicted, strict=True)) >= 4  # of 5
    assert again.network.chip == "loihi2"
