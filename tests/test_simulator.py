"""The batched simulator against a slow integer loop, one synapse at a time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dalif_deploy.hw_models.arithmetic.lava.exactness import population_bounds
from dalif_deploy.hw_models.chip_network.form import ChipInput, Geometry, Projection
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate, simulate_chunks
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
    monkeypatch.setattr("dalif_deploy.hw_models.simulator.batched.BLOCK_ELEMENTS", 1)
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


@pytest.mark.parametrize("exponent", [0, 7])
def test_filters_of_different_length_in_one_population(exponent):
    """Each neuron its own decay of the current; with the large exponent currents wrap, so that integers keep them."""
    rng = np.random.default_rng(4)
    neurons = population("p", (6,), du=np.array([4095, 4094, 3000, 1234, 100, 0]), dv=rng.integers(0, 4096, 6), vth=300)
    weight = rng.integers(-127, 128, (6, 20)) * 2
    network = chip([ChipInput("input", (20,), "spikes")], [neurons], [Projection("w", "input", "p", weight, exponent)])
    assert population_bounds(network, neurons, 12).proven == (exponent == 0)
    encoded = EncodedInput(12, 3, {"input": rng.integers(0, 2, (3, 12, 20)).astype(np.int32)})
    run = simulate(network, encoded)
    assert_same(network, encoded, run)
    assert 0 < run.spikes["p"].mean() < 1


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


@pytest.mark.parametrize("onednn", [True, False])
def test_convolutions_of_a_large_batch_stay_exact(onednn):
    """Sums up to 2^17 - 1, the edge of the current register; without oneDNN torch would take NNPACK's Winograd."""
    rng = np.random.default_rng(8)
    weight = rng.integers(-40, 41, (16, 16, 3, 3)).astype(np.int16)
    one_sign = (np.clip(sign * weight.astype(int), 0, None).reshape(16, -1).sum(1).max() for sign in (1, -1))
    high = ((1 << 17) - 1) // int(max(one_sign))
    network = chip(
        [ChipInput("input", (16, 12, 12), "graded", 1.0, 0, high)],
        [population("p", (16, 12, 12), dv=4095, vth=131071, fires=False)],
        [Projection("w", "input", "p", weight, 0, Geometry((1, 1), (1, 1), (1, 1)))],
        steps=1,
    )
    levels = rng.integers(0, high + 1, (32, 1, 16, 12, 12)).astype(np.int32)
    bounds = population_bounds(network, network.populations["p"], 1)
    assert bounds.proven and bounds.current > 0.9 * (1 << 23)
    with torch.backends.mkldnn.flags(enabled=onednn):
        membrane = simulate(network, EncodedInput(1, 32, {"input": levels}), batch_size=32).membrane["p"]
    exact = torch.conv2d(torch.from_numpy(levels[:, 0]).double(), torch.from_numpy(weight).double(), padding=1)
    np.testing.assert_array_equal(membrane[:, 0], exact.numpy().astype(np.int64) << 6)


@pytest.mark.parametrize("dv", [0, 1, 2047, 2048, 3001, 4095])
def test_decays_of_any_membrane(dv):
    """Every size of membrane up to the clip, driven there in one step and left to decay in the next."""
    rng = np.random.default_rng(dv)
    start = np.concatenate([np.arange(-3000, 3000), (1 << np.arange(17)) - 1, rng.integers(-131071, 131072, 4000)])
    network = chip(
        [ChipInput("input", (1,), "graded", 1.0, -131071, 131071)],
        [population("p", (1,), dv=dv, vth=131071, mant=63, fires=False)],
        [Projection("w", "input", "p", np.array([[1]], dtype=np.int16))],
        steps=3,
    )
    levels = np.zeros((len(start), 3, 1), dtype=np.int32)
    levels[:, 0, 0] = start
    membrane = simulate(network, EncodedInput(3, len(start), {"input": levels})).membrane["p"][:, :, 0].astype(np.int64)
    limit, v = (1 << 23) - 1, start.astype(np.int64) * 64 + 63
    for t in range(3):
        v = np.clip(v, -limit, limit)
        v[v > 131071 << 6] = 0
        np.testing.assert_array_equal(membrane[:, t], v)
        v = np.sign(v) * (np.abs(v) * (4096 - dv) >> 12) + 63


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_records_of_single_layers(batch_size):
    network, encoded = random_network(np.random.default_rng(5))
    whole = simulate(network, encoded)
    record = {"spikes": ["second"], "membrane": ("first",), "counts": ["first", "readout"]}
    part = simulate(network, encoded, record=record, batch_size=batch_size)
    assert {kind: set(getattr(part, kind)) for kind in record} == {kind: set(names) for kind, names in record.items()}
    np.testing.assert_array_equal(part.spikes["second"], whole.spikes["second"])
    np.testing.assert_array_equal(part.membrane["first"], whole.membrane["first"])
    assert whole.spikes["first"].any()
    for name, counts in part.counts.items():
        np.testing.assert_array_equal(counts, whole.spikes[name].sum(axis=1))
    for name, values in part.outputs.items():
        np.testing.assert_array_equal(values, whole.outputs[name])


@pytest.mark.parametrize("record", [("spike",), {"spikes": ["third"]}])
def test_unknown_records_are_refused(record):
    network, encoded = random_network(np.random.default_rng(5))
    with pytest.raises(ValueError, match="record"):
        simulate(network, encoded, record=record)


def test_memory_does_not_grow_with_samples_and_steps():
    """48 times the spikes of the first run, 400 MB as float32, in hardly more memory."""
    script = """
import resource, sys
import numpy as np
from dalif_deploy.hw_models.chip_network.form import ChipInput, Projection
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from tests.chip_networks import chip, population

network = chip(
    [ChipInput("input", (4,), "spikes")],
    [population("p", (2000,), vth=20)],
    [Projection("w", "input", "p", np.full((2000, 4), 100, dtype=np.int16))],
)
def run(samples, steps):
    network.steps = steps
    messages = np.ones((samples, 1, 4), dtype=np.int32)
    simulate(network, EncodedInput(steps, samples, {"input": messages}), record=())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
first = run(260, 4)
print(run(260 * 6, 4 * 8) - first)
"""
    grown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert float(grown.stdout) < 60
