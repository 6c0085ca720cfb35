"""Samples of --stress: within the inputs' ranges, the same each time, and reaching what can be reached."""

import numpy as np
import pytest

from dalif_deploy.hw_models.chip_network.form import ChipInput, Projection
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.hw_models.stress import stress_samples
from tests.chip_networks import chip, population
from tests.test_plausibility import every_input


def two_layers(seed, item):
    rng = np.random.default_rng(seed)
    size = item.shape[0]
    return chip(
        [item],
        [population("a", (6,), dv=500, vth=200), population("b", (5,), dv=300, vth=rng.integers(50, 400, 5))],
        [
            Projection("x", "x", "a", rng.integers(-60, 60, (6, size)) * 2, 1),
            Projection("y", "a", "b", rng.integers(-60, 60, (5, 6)) * 2, 1),
        ],
        steps=4,
    )


@pytest.mark.parametrize("seed", range(6))
def test_all_that_any_input_can_make_fire_fires(seed):
    """Against every input there is."""
    network = two_layers(seed, ChipInput("x", (3,), "spikes"))
    truth = simulate(network, every_input(network, 4)).spikes
    found = stress_samples(network, 32)
    assert np.isin(found.data["x"], (0, 1)).all() and found.data["x"].shape == (32, 4, 3)
    spikes = simulate(network, encode_input(network, found.data)).spikes
    for name, layer in spikes.items():
        np.testing.assert_array_equal(layer.any(axis=(0, 1)), truth[name].any(axis=(0, 1)))


def test_graded_samples_keep_to_their_levels_and_repeat():
    network = two_layers(0, ChipInput("x", (4,), "graded", 0.25, -8, 7))
    found, again = (stress_samples(network, 20).data["x"] for _ in range(2))
    np.testing.assert_array_equal(found, again)
    levels = found / 0.25
    assert (levels == np.rint(levels)).all() and levels.min() == -8 and levels.max() == 7
    with pytest.raises(UserError, match="--stress 1 or more"):
        stress_samples(network, 0)
