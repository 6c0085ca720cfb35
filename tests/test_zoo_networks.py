"""The zoo's networks run as their tutorials call them, and are alive: a silent layer would agree with anything."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.zoo import written_states
from benchmarks.zoo.alive import firing_rates, settle, spiking_layers
from benchmarks.zoo.all_networks import all_networks
from benchmarks.zoo.entry import ZooNetwork

NETWORKS, MISSING = all_networks()
CASES = [pytest.param(n, id=n.name, marks=[pytest.mark.slow] if n.large else []) for n in NETWORKS]


def _parts(out: object) -> list[torch.Tensor]:
    return list(out) if isinstance(out, tuple) else [out]


# whose neurons are lines of a forward, no modules that could be watched
WRITTEN_OUT = {"plain-spytorch", "plain-time-last", "plain-own-weights", "norse-functional"}
WRITTEN_OUT |= {network.name for network in written_states.NETWORKS}


@pytest.mark.parametrize("network", CASES)
def test_network_runs_and_every_layer_fires(network: ZooNetwork):
    model, example = network.build(), network.example()
    assert not model.training
    steps_in_example = {"time_first": lambda: len(example), "time_second": lambda: example.shape[1]}
    if network.layout in steps_in_example:
        assert steps_in_example[network.layout]() == network.steps
    if network.layout == "squeezed":
        assert len(example) % network.steps == 0

    seen = []
    rates = firing_rates(model, lambda: seen.append(network.run(model, example)))
    for part in _parts(seen[0]):
        assert part.isfinite().all() and part.unique().numel() > 1  # says something, and not the same of all
    for name in set(rates) - set(network.silent):
        assert 0 < rates[name] < 1, f"layer {name} fires at {rates[name]:.3f} of steps"
    if network.loop != "none" and network.name not in WRITTEN_OUT:
        assert rates

    # no state is left over: what the tutorial's script gives does not depend on what was run before
    with torch.no_grad():
        again = network.run(model, example)
    for one, other in zip(_parts(seen[0]), _parts(again), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_two_builds_are_the_same_network():
    for network in [network for network in NETWORKS if not network.large][::15]:
        first, second = (network.build().state_dict() for _ in range(2))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first if first[key].numel())


def test_names_are_unique_and_the_list_is_long_enough():
    assert len({network.name for network in NETWORKS}) == len(NETWORKS)
    if set(MISSING) <= {"pytorch_lightning"}:
        assert len(NETWORKS) >= 70
        assert {n.framework for n in NETWORKS} >= {"snnTorch", "SpikingJelly", "Norse", "sinabs", "PyTorch"}


def test_a_silent_network_is_seen_and_made_alive():
    snn = pytest.importorskip("snntorch")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 6), snn.Leaky(beta=0.5, init_hidden=True, output=True))
    nn.init.normal_(model[0].weight, std=0.01)
    nn.init.zeros_(model[0].bias)
    inputs = torch.rand(5, 8)
    assert list(spiking_layers(model)) == ["1"]
    assert firing_rates(model, lambda: model(inputs)) == {"1": 0.0}
    settle(model, lambda: model(inputs))
    assert firing_rates(model, lambda: model(inputs))["1"] > 0
