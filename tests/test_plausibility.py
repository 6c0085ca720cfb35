"""Which neurons can fire at all: held against every input of small networks, one by one, and against random ones."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from dalif_deploy.hw_models.chip_network.form import ChipInput, Projection
from dalif_deploy.hw_models.compiler.plausibility import plausibility
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from tests.chip_networks import chip, population, random_network
from tests.random_chip_networks import chip_cases


def every_input(network, steps):
    """All 0/1 inputs of all steps."""
    (item,) = network.inputs.values()
    size = item.shape[0]
    trains = np.array(list(itertools.product((0, 1), repeat=steps * size)), dtype=np.int32)
    return EncodedInput(steps, len(trains), {item.name: trains.reshape(-1, steps, size)})


@pytest.mark.parametrize("seed", range(12))
def test_one_layer_is_exact_against_every_input(seed):
    """Before its first spike nothing but the input moves a neuron, so that the bound is reached."""
    rng = np.random.default_rng(seed)
    neurons = population(
        "p",
        (6,),
        du=int(rng.choice([4095, 2000])),
        dv=int(rng.choice([0, 300, 4095])),
        vth=rng.integers(1, 900, 6),
        mant=rng.integers(-2000, 2000, 6),
        reset=str(rng.choice(["zero", "subtract"])),
    )
    weight = rng.integers(-128, 128, (6, 3)) * 2
    network = chip([ChipInput("x", (3,), "spikes")], [neurons], [Projection("w", "x", "p", weight, 0)], steps=4)
    found = plausibility(network)["p"]
    spikes = simulate(network, every_input(network, 4)).spikes["p"]
    np.testing.assert_array_equal(found.can_fire, spikes.any(axis=(0, 1)))
    # a bound from above: what is said to fire always does
    assert not (found.always_fires & ~spikes.all(axis=(0, 1))).any()


def test_the_bounds_are_not_empty_words():
    """Of these layers some neurons can't fire, some can, and some always do."""
    network = chip(
        [ChipInput("x", (1,), "spikes")],
        [population("p", (3,), dv=0, vth=np.array([4, 4, 4]), mant=np.array([0, 0, 320]))],
        [Projection("w", "x", "p", np.array([[1], [2], [2]]), 0)],
        steps=3,
    )
    found = plausibility(network)["p"]
    assert found.can_fire.tolist() == [False, True, True] and found.always_fires.tolist() == [False, False, True]
    assert found.peak == (3 * 2 * 64 + 3 * 320) / 256 or found.peak > 1
    assert plausibility(network, 5)["p"].can_fire.tolist() == [True, True, True]  # five steps sum up to above 4


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(chip_cases(5, 3))
def test_nothing_fires_that_was_said_to_be_silent(case):
    network, encoded = case.network, case.encoded
    if encoded.bias:  # a sample's own bias, which no bound knows of
        return
    spikes = simulate(network, encoded).spikes
    for name, found in plausibility(network, encoded.steps).items():
        fired = spikes[name].any(axis=(0, 1))
        assert not (fired & ~found.can_fire).any(), name
        assert not (found.always_fires & ~spikes[name].all(axis=(0, 1))).any(), name


@pytest.mark.parametrize("seed", range(10))
def test_loops_delays_and_convolutions_keep_within_the_bounds(seed):
    network, encoded = random_network(np.random.default_rng(seed), extreme=seed % 2 == 1)
    spikes = simulate(network, encoded).spikes
    for name, found in plausibility(network, encoded.steps).items():
        assert not (spikes[name].any(axis=(0, 1)) & ~found.can_fire).any()
