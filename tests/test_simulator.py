"""The batched simulator against a slow integer loop, one synapse at a time."""

from pathlib import Path

import numpy as np
import pytest

from hw_models.chip_network import ChipInput, Geometry, Projection
from hw_models.recording import EncodedInput
from hw_models.simulator import simulate, simulate_chunks
from hw_models.simulator.exactness import population_bounds
from tests import scalar_chip
from tests.chip_networks import chip, population, random_network


def assert_same(network, encoded, recording):
    spikes, membranes = scalar_chip.run(network, encoded)
    for name in network.populations:
        np.testing.assert_array_equal(recording.spikes[name], spikes[name], err_msg=f"spikes of {name}")
        np.testing.assert_array_equal(recording.membrane[name], membranes[name], err_msg=f"membrane of {name}")
    for output in network.outputs.values():
        expected = spikes[output.population].sum(1) if output.mode == "count" else membranes[output.population][:, -1]
        np.testing.assert_array_equal(recording.outputs[output.name], expected)


@pytest.mark.parametrize("seed", range(24))
def test_random_networks_equal_the_slow_loop(seed):
    network, encoded = random_network(np.random.default_rng(seed), extreme=seed % 2 == 1)
    assert_same(network, encoded, simulate(network, encoded))


def test_random_networks_include_wrapping_and_proven_populations():
    wraps = set()
    for seed in range(24):
        network, _ = random_network(np.random.default_rng(seed), extreme=seed % 2 == 1)
        wraps |= {population_bounds(network, p, network.steps).wraps for p in network.populations.values()}
    assert wraps == {True, False}


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_batches_do_not_change_a_bit(batch_size):
    network, encoded = random_network(np.random.default_rng(5))
    whole = simulate(network, encoded)
    for samples, part in simulate_chunks(network, encoded, batch_size=batch_size):
        for name in network.populations:
            np.testing.assert_array_equal(part.membrane[name], whole.membrane[name][samples])


def test_blocks_of_time_do_not_change_a_bit(monkeypatch):
    network, encoded = random_network(np.random.default_rng(7), steps=9)
    whole = simulate(network, encoded)
    monkeypatch.setattr("hw_models.simulator.batched.BLOCK_ELEMENTS", 1)
    blocked = simulate(network, encoded, batch_size=3)
    for name in network.populations:
        np.testing.assert_array_equal(blocked.membrane[name], whole.membrane[name])
        np.testing.assert_array_equal(blocked.spikes[name], whole.spikes[name])


def test_bounds_hold_for_the_worst_input():
    """All-positive weights and all-ones input reach the synaptic bound exactly."""
    weight = np.full((2, 50), 254, dtype=np.int16)
    network = chip(
        [ChipInput("input", (50,), "spikes")],
        [population("p", (2,), dv=0, vth=131071, fires=False)],
        [Projection("w", "input", "p", weight, 1)],
        steps=3,
    )
    encoded = EncodedInput(3, 1, {"input": np.ones((1, 3, 50), dtype=np.int32)})
    bounds = population_bounds(network, network.populations["p"], 3)
    membrane = simulate(network, encoded).membrane["p"]
    assert membrane[0, 0, 0] == bounds.current == 50 * 254 * 2 * 64
    assert membrane.max() == bounds.membrane == 3 * bounds.current
    assert not bounds.wraps


def test_large_sums_stay_exact():
    """Sums near the edge of the current register, where a float32 that rounded would show."""
    rng = np.random.default_rng(3)
    weight = rng.integers(-128, 128, (8, 64, 3, 3)).astype(np.int16)
    scale = (1 << 17) // int(np.abs(weight.astype(int)).reshape(8, -1).sum(1).max())
    high = max(1, scale - 1)
    network = chip(
        [ChipInput("input", (64, 6, 5), "graded", 1.0, 0, high)],
        [population("p", (8, 6, 5), dv=1234, vth=100000)],
        [Projection("w", "input", "p", weight, 0, Geometry((1, 1), (1, 1), (1, 1)))],
        steps=4,
    )
    encoded = EncodedInput(4, 1, {"input": rng.integers(0, high + 1, (1, 4, 64, 6, 5)).astype(np.int32)})
    assert not population_bounds(network, network.populations["p"], 4).wraps
    assert_same(network, encoded, simulate(network, encoded))


def test_no_samples_give_empty_records():
    network, encoded = random_network(np.random.default_rng(1))
    empty = simulate(network, encoded.part(slice(0, 0)))
    assert empty.spikes["second"].shape == (0, 5, 5)


def test_a_real_loihi_s_trace_is_reproduced():
    """NIR paper's single neuron (tests/data/nir_lif): Lava's membrane at 1000 steps, the chip's four spikes.

    The traces come one step late, by the hand-over between synapse and neuron.
    """
    folder = Path(__file__).parent / "data" / "nir_lif"
    fixed, silicon = (
        np.loadtxt(folder / f"lif_lava_{name}.csv", delimiter=",") for name in ("cpu_fixed", "loihi_fixed")
    )
    network = chip(
        [ChipInput("input", (1,), "spikes")],
        [population("neuron", (1,), dv=163, vth=25)],
        [Projection("synapse", "input", "neuron", np.array([[10]], dtype=np.int16))],
        steps=1000,
    )
    arriving = np.roll(fixed[:, 0], 1).astype(np.int32)
    arriving[0] = 0
    run = simulate(network, EncodedInput(1000, 1, {"input": arriving.reshape(1, 1000, 1)}))
    spikes, membrane = run.spikes["neuron"].ravel(), run.membrane["neuron"].ravel()
    assert len(fixed) == 1000
    np.testing.assert_array_equal(membrane, fixed[:, 1])
    np.testing.assert_array_equal(np.flatnonzero(spikes), np.flatnonzero(silicon[:, 2]))
    assert spikes.sum() == 4
    np.testing.assert_array_equal(membrane[spikes == 0], silicon[spikes == 0, 1])
