"""SANA-FE, an architecture simulator by others: its Loihi must hold the same integers, and count the same events."""

import json

import numpy as np
import pytest

from dalif_deploy.hw_models.chip_network.form import ChipInput, ChipOutput, Geometry, Projection
from dalif_deploy.hw_models.chip_network.geometry import spatial_output
from dalif_deploy.hw_models.chip_network.synapse_list import synapse_list
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from tests import scalar_chip
from tests.chip_networks import chip, population, random_network
from tests.test_commands import checkpoint, run

SAMPLES, STEPS = 3, 5


def feed_forward(seed, reset="zero", side=6, name="loihi1"):
    """Spikes into a convolution, that into a dense layer, that into a readout; biases; no delays."""
    rng = np.random.default_rng(seed)
    shape, kernel = (2, side, side + 1), (3, 2)
    geometry = Geometry((int(rng.integers(1, 3)), 1), (1, int(rng.integers(0, 2))), (1, 1), int(rng.choice([1, 2])))
    out = (8, *spatial_output(shape[1:], kernel, geometry))

    def weights(*dims):
        return (rng.integers(-30, 31, dims) * 2 * (rng.random(dims) < 0.8)).astype(np.int16)

    populations = [
        population("first", out, dv=rng.integers(0, 4096, (8, 1, 1)), vth=rng.integers(20, 90, out),
                   mant=rng.integers(-4096, 4096, out), exp=rng.integers(0, 3, out), reset=reset),
        population("second", (7,), dv=int(rng.integers(0, 2000)), vth=150, mant=300, reset=reset),
        population("readout", (3,), dv=0, vth=131071, fires=False, mant=7, exp=1),
    ]  # fmt: skip
    projections = [
        Projection("conv", "input", "first", weights(8, 2 // geometry.groups, *kernel), 1, geometry),
        Projection("dense", "first", "second", weights(7, int(np.prod(out))), 0),
        Projection("last", "second", "readout", weights(3, 7), 2),
    ]
    network = chip(
        [ChipInput("input", shape, "spikes")], populations, projections, steps=STEPS, name=name,
        outputs=[ChipOutput("out", "readout", "membrane"), ChipOutput("counts", "second", "count")],
    )  # fmt: skip
    messages = (rng.random((SAMPLES, STEPS, *shape)) < 0.4).astype(np.int32)
    return network, EncodedInput(STEPS, SAMPLES, {"input": messages})


@pytest.mark.parametrize("seed", range(6))
def test_synapse_list_holds_every_synapse_that_a_slow_chip_sees(seed):
    network, _ = random_network(np.random.default_rng(seed))
    for projection in network.projections.values():
        shapes = network.source_shape(projection.source), network.populations[projection.target].shape
        listed = sorted(zip(*(each.tolist() for each in synapse_list(projection, *shapes)), strict=True))
        seen = sorted(
            (int(np.ravel_multi_index(a, shapes[0])), int(np.ravel_multi_index(b, shapes[1])), w)
            for a, b, w in scalar_chip.synapses(projection, *shapes)
        )
        assert listed == seen


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("seed", range(3))
def test_every_spike_and_membrane_is_that_of_the_simulator(seed, reset):
    pytest.importorskip("sanafe")
    from dalif_deploy.converters.sanafe.run import run_sanafe

    # a soft reset is Loihi 2's; 16 x 17 pixels do not fit on one core
    network, encoded = feed_forward(
        seed, reset, side=16 if seed == 0 else 6, name="loihi2" if reset != "zero" else "loihi1"
    )
    expected = simulate(network, encoded, record=("spikes", "membrane"))
    found, counts = run_sanafe(network, encoded)
    assert expected.spikes["first"].any() and expected.spikes["second"].any()
    for name in network.populations:
        np.testing.assert_array_equal(found.spikes[name], expected.spikes[name], err_msg=name)
        np.testing.assert_array_equal(found.membrane[name], expected.membrane[name], err_msg=name)
    for name, values in expected.outputs.items():
        np.testing.assert_array_equal(found.outputs[name], values)
    fired = sum(expected.spikes[name].reshape(SAMPLES, -1).sum(1) for name in ("first", "second"))
    np.testing.assert_array_equal(counts.spikes, fired)


def test_counts_are_equal_and_so_is_energy_by_its_own_constants():
    pytest.importorskip("sanafe")
    from dalif_deploy.converters.sanafe.cost_comparison import compare_costs

    network, _ = feed_forward(0, side=24)
    rng = np.random.default_rng(5)
    del network.projections["conv"]
    network.inputs["input"].mode = "bias"
    first = network.populations["first"]
    bias = rng.integers(-4096, 4096, (SAMPLES, *first.shape)), rng.integers(0, 3, (SAMPLES, *first.shape))
    # cores of at most 1024 neurons: messages must hop
    kernel = (rng.integers(-20, 21, (4, 8, 3, 3)) * 2).astype(np.int16)
    size = spatial_output(first.shape[1:], (3, 3), Geometry((2, 2), (1, 1), (1, 1), 1))
    network.populations["middle"] = population("middle", (4, *size), vth=60)
    network.projections["down"] = Projection("down", "first", "middle", kernel, 0, Geometry((2, 2), (1, 1), (1, 1), 1))
    dense = (rng.integers(-20, 21, (7, 4 * int(np.prod(size)))) * 2).astype(np.int16)
    network.projections["dense"] = Projection("dense", "middle", "second", dense, 0)
    rows, seconds = compare_costs(network, EncodedInput(STEPS, SAMPLES, {}, {"first": bias}))
    rows = {row.name: row for row in rows}
    assert (rows["hops, east-west"].ours + rows["hops, north-south"].ours > 0).all()
    for name, row in rows.items():
        if name != "energy":
            np.testing.assert_array_equal(row.ours, row.sanafe, err_msg=name)
            assert row.ours.any() or name.startswith("hops")
    np.testing.assert_allclose(rows["energy"].ours, rows["energy"].sanafe, rtol=1e-9)
    assert (seconds > 0).all()


def test_what_its_loihi_can_not_hold_is_refused():
    pytest.importorskip("sanafe")
    from dalif_deploy.converters.sanafe.sanafe_network import build_sanafe

    network, _ = feed_forward(0)
    network.populations["second"].du = np.array(1000)
    with pytest.raises(UserError, match=r"^second: SANA-FE does not round filtered currents"):
        build_sanafe(network)
    network, _ = feed_forward(0)
    skip = np.full((3, network.populations["first"].size), 2, dtype=np.int16)
    network.projections["skip"] = Projection("skip", "first", "readout", skip)
    with pytest.raises(UserError, match=r"^skip: a synaptic delay"):
        build_sanafe(network)
    network, _ = feed_forward(0)
    network.inputs["input"].mode = "graded"
    with pytest.raises(UserError, match=r"^input: SANA-FE's Loihi has no graded messages"):
        build_sanafe(network)


def test_target_is_opened_by_sanafe_and_the_commands_compare(tmp_path):
    sanafe = pytest.importorskip("sanafe")
    out = tmp_path / "out"
    source = checkpoint(tmp_path / "model.pt")
    result = run("export", source, "--target", "sanafe", "--chip", "loihi1", "-o", out)
    assert result.returncode == 0, result.stderr
    opened = sanafe.load_net(out / "snn.yaml", sanafe.load_loihi())
    assert {name: len(group.neurons) for name, group in opened.groups.items()} == {"block1": 3 * 16, "readout": 10}
    options = ("--data", "digits:test", "--limit", 3, "--json", tmp_path / "energy.json")
    result = run("energy", out, *options, "--sanafe", 2)
    assert result.returncode == 0, result.stderr
    compared = json.loads((tmp_path / "energy.json").read_text())["sanafe"]
    assert compared["samples"] == 2 and compared["rows"][-1]["name"] == "energy"
    for row in compared["rows"]:
        assert row["largest_difference"] <= 1e-9 * row["ours"]
    assert "counted by SANA-FE" in result.stdout
