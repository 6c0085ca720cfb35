"""What loihi2's neurons do beside decay, threshold, reset: lower bound, start, refractory time, several spikes a step.

The engines are compared in test_lava_exact, test_onnx, test_c and the fuzzers, which all know of them.
"""

from __future__ import annotations

import nir
import numpy as np
import pytest

import dalif_deploy
from dalif_deploy.hw_models.chip_network.file import read_chip_network, write_chip_network
from dalif_deploy.hw_models.compiler import compile_graph, plausibility
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from tests import lava_networks as nets
from tests import scalar_chip

DT, STEPS = 1e-3, 12
OPTIONS = {
    "v_min": -0.25,
    "v_start": -1.6,
    "refractory": 2,
    "max_spikes": 3,
}


def graph(metadata, weight):
    neuron = nir.LIF(tau=np.full(4, DT / 0.25), r=np.full(4, 4.0), v_leak=np.zeros(4), v_threshold=np.full(4, 1.03))
    neuron.metadata = {"reset": "zero", **metadata}
    nodes = {"input": nir.Input({"input": np.array([6])}), "w": nir.Linear(weight), "n": neuron}
    nodes["output"] = nir.Output({"output": np.array([4])})
    return nir.NIRGraph(nodes, [("input", "w"), ("w", "n"), ("n", "output")], type_check=False)


def weights():
    return np.random.default_rng(3).integers(-6, 9, (4, 6)) / 4


def events():
    return (np.random.default_rng(4).random((8, STEPS, 6)) < 0.5).astype(np.float64)


@pytest.mark.parametrize("name", OPTIONS)
def test_compiled_integers_do_what_the_graph_says(name):
    """Weights are whole multiples and the threshold is none, so that no spike is a matter of rounding."""
    metadata, data = {name: OPTIONS[name]}, events()
    said = run_reference(graph(metadata, weights()), data, dt=DT)
    assert (said.spikes["n"] != run_reference(graph({}, weights()), data, dt=DT).spikes["n"]).any()
    network = compile_graph(graph(metadata, weights()), chip="loihi2", steps=STEPS, dt=DT).network
    assert network.populations["n"].options
    encoded = encode_input(network, data)
    run = simulate(network, encoded)
    np.testing.assert_array_equal(run.spikes["n"], said.spikes["n"])
    assert np.abs(run.membrane["n"] / network.populations["n"].scale - said.membrane["n"]).max() < 0.1
    spikes, membranes = scalar_chip.run(network, encoded)
    np.testing.assert_array_equal(run.spikes["n"], spikes["n"])
    np.testing.assert_array_equal(run.membrane["n"], membranes["n"])
    found = plausibility.plausibility(network)["n"]
    fired = run.spikes["n"] > 0
    assert found.can_fire[fired.any((0, 1))].all() and fired.all((0, 1))[found.always_fires].all()


@pytest.mark.parametrize("name", OPTIONS)
def test_a_chip_without_it_refuses_by_name(name):
    with pytest.raises(UserError, match=r"^n: .*Loihi 1's neurons have none here; choose --chip loihi2"):
        compile_graph(graph({name: OPTIONS[name]}, weights()), chip="loihi1", steps=STEPS, dt=DT)


@pytest.mark.parametrize(
    "metadata",
    [
        {"v_min": 0.5},
        {"v_min": float("nan")},
        {"v_start": "x"},
        {"refractory": -1},
        {"refractory": 1.5},
        {"max_spikes": 0},
    ],
    ids=str,
)
def test_what_no_neuron_can_have_is_refused(metadata):
    with pytest.raises(UserError, match=r"^n: "):
        run_reference(graph(metadata, weights()), events(), dt=DT)


@pytest.mark.parametrize("name", ["options", "several spikes"])
def test_a_file_keeps_them(name, tmp_path):
    network, encoded = nets.NETWORKS[name]()
    write_chip_network(tmp_path / "network.nir", network)
    again = read_chip_network(tmp_path / "network.nir")
    one, two = simulate(network, encoded), simulate(again, encoded)
    expected = nets.scalar_reference(network, encoded)
    for population in network.populations:
        assert again.populations[population].options == network.populations[population].options
        np.testing.assert_array_equal(one.membrane[population], two.membrane[population])
        np.testing.assert_array_equal(one.spikes[population], expected.spikes[population])
        np.testing.assert_array_equal(one.membrane[population], expected.membrane[population])
    assert name == "options" or one.spikes["many"].max() > 3 >= one.spikes["capped"].max()


def test_energy_counts_messages_of_several_spikes_once():
    from dalif_deploy.hw_models.energy.counts import count_activity

    network, encoded = nets.several_spikes_network()
    run, counts = simulate(network, encoded), count_activity(network, encoded)
    assert counts.populations["many"].spikes.sum() == (run.spikes["many"] > 0).sum() < run.spikes["many"].sum()
    assert all(counts.projections[name].graded for name in network.projections)


def test_a_pool_over_several_spikes_is_no_or():
    layers, activation = pytest.importorskip("sinabs.layers"), pytest.importorskip("sinabs.activation")
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), layers.IAFSqueeze(num_timesteps=4, spike_fn=activation.MultiSpike),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3), layers.IAFSqueeze(num_timesteps=4),
    )  # fmt: skip
    with torch.no_grad():
        model[0].weight.copy_(model[0].weight.abs() * 5)
    with pytest.raises(UserError, match="max pooling over neurons that fire several times in a step"):
        dalif_deploy.export(model, torch.rand(2, 4, 1, 6, 6), out="nowhere", time_axis=1)
