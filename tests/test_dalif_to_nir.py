"""Trained neurons as NIR: decays that no LIF can say, and what the graph tells its readers."""

import numpy as np
import pytest
import torch

from dalif_deploy.converters.dalif_to_nir import network_to_nir
from dalif_deploy.converters.nir_file import graph_metadata
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.reference import run_reference
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.spec import NeuronSpec


def small(**neuron):
    torch.manual_seed(1)
    spec = NetworkSpec(
        input_shape=(1, 6, 6), classes=3, channels=[4], strides=[1], steps=5, neuron=NeuronSpec(**neuron)
    )
    network = build_network(spec).double().eval()
    return network, [module for name, module in network.named_modules() if hasattr(module, "tau_b")]


@pytest.mark.parametrize("dt", [1e-4, 1e-3])
@pytest.mark.parametrize("beta", [1.0, 0.5, 0.0])
@torch.no_grad()
def test_a_membrane_that_forgets_nothing_is_stepped_alike(beta, dt):
    """beta = 1 has no finite time constant: NIR's IF."""
    network, neurons = small(activation="clamp", v_threshold=0.3)
    for neuron in neurons:
        neuron.tau_b.fill_(beta)
    x = torch.rand(4, 1, 6, 6, dtype=torch.float64)
    logits, layers = network.forward_recorded(x)
    graph = network_to_nir(network, dt=dt)
    reference = run_reference(graph, x.numpy(), dt=dt, steps=5)
    for name, record in layers.items():
        assert 0 < record["spikes"].mean() < 1
        np.testing.assert_array_equal(record["spikes"].transpose(0, 1).to(torch.uint8), reference.spikes[name])
    np.testing.assert_allclose(reference.outputs["output"].mean(axis=1), logits, rtol=1e-9)


def test_the_graph_says_how_it_was_trained():
    network, _ = small()
    graph = network_to_nir(network, dt=2e-4, input_step=0.25, input_highest=7.0, dataset="digits")
    told = {key: graph_metadata(graph, key) for key in ("dt", "steps", "input_step", "input_highest", "dataset")}
    assert told == {"dt": 2e-4, "steps": 5, "input_step": 0.25, "input_highest": 7.0, "dataset": "digits"}
    nothing = network_to_nir(network)
    assert [graph_metadata(nothing, key) for key in ("input_step", "input_highest", "dataset")] == [None] * 3


@torch.no_grad()
def test_a_decay_that_is_no_number_is_refused_by_layer():
    network, neurons = small(activation="clamp", v_threshold=0.3)
    neurons[0].tau_b.fill_(float("nan"))
    with pytest.raises(UserError, match="is not a valid decay") as refusal:
        network_to_nir(network)
    assert refusal.value.where == next(iter(network.layers))
