"""Traces that lava-dl 0.6.0 ships with its own tests (tests/data/lava_dl): its networks here, spike for spike."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from converters.netx.read import read_net
from hw_models.chip_network import ChipInput, Geometry, Projection
from hw_models.recording import EncodedInput
from hw_models.simulator import simulate
from tests.chip_networks import chip, population

FOLDER = Path(__file__).parent / "data" / "lava_dl"


@pytest.fixture(scope="module")
def traces():
    return np.load(FOLDER / "traces.npz")


def spikes(network, messages, name):
    encoded = EncodedInput(len(messages), 1, {"input": messages[None].astype(np.int32)})
    return simulate(network, encoded, record=("spikes",)).spikes[name][0]


def test_dense_block(traces):
    """2,000 steps, 256 neurons: gts/dense, with the registers of lava-dl's test_blocks.py."""
    projection = Projection("w", "input", "d", traces["dense.weight"])
    network = chip([ChipInput("input", (200,), "spikes")], [population("d", (256,), dv=415, vth=6)], [projection])
    found = spikes(network, traces["dense.in"].T, "d")
    expected = traces["dense.out"].T[1:]  # a step behind
    assert expected.sum() > 1800
    np.testing.assert_array_equal(found[:-1], expected)


def test_convolution_block(traces):
    """gts/tinynet, first layer; kernels there are Lava's, flipped and in the order (out, x, y, in)."""
    kernel = np.ascontiguousarray(traces["tinynet.layer1_kernel"].transpose(0, 3, 2, 1)[:, :, ::-1, ::-1])
    bias = traces["tinynet.layer1_bias"].reshape(-1, 1, 1)
    layer = population("c", (24, 6, 6), dv=1024, vth=25, mant=bias, exp=6)
    projection = Projection("w", "input", "c", kernel, 0, Geometry((2, 2), (0, 0), (1, 1), 1))
    network = chip([ChipInput("input", (3, 16, 16), "spikes")], [layer], [projection])
    found = spikes(network, traces["tinynet.input"][0].transpose(3, 0, 1, 2)[1:], "c")
    expected = traces["tinynet.layer1"][0].transpose(3, 0, 1, 2)[1:]
    assert expected.sum() > 1500
    np.testing.assert_array_equal(found[: len(expected)], expected)


def unpacked(traces, name):
    shape = traces[f"pilotnet.{name}.shape"]
    return np.unpackbits(traces[f"pilotnet.{name}"], count=int(np.prod(shape))).reshape(shape)


def test_pilotnet_reads_from_its_file_and_fires_in_every_layer_as_recorded(traces, tmp_path):
    """A trained network of 9 layers and its .net file: 16 steps, from the spikes that its input layer gave."""
    path = tmp_path / "pilotnet.net"
    shutil.copy(FOLDER / "pilotnet.net", path)
    with h5py.File(path, "a") as file:
        del file["layer/0/neuron"]  # these neurons turn pixels into the spikes that the trace has
    network = read_net(path)
    encoded = EncodedInput(16, 1, {"input": unpacked(traces, "input")[None].astype(np.int32)})
    run = simulate(network, encoded, record=("spikes",))
    names = list(network.populations)
    recorded = [*(f"conv-{n}" for n in range(5)), *(f"fc-{n}" for n in range(3))]
    assert len(names) == len(recorded) + 1
    compared = 0
    for name, trace in zip(names, recorded, strict=False):
        expected = unpacked(traces, trace)
        assert expected.any()
        np.testing.assert_array_equal(run.spikes[name][0], expected, err_msg=trace)
        compared += expected.size
    assert compared > 1_900_000


def test_network_with_filtered_currents_and_a_delay_for_each_neuron():
    """The trained NTIDIGITS network: three dense layers of CUBA neurons, axonal delays of up to 62 steps."""
    network = read_net(FOLDER / "ntidigits.net")
    assert {p.delay for p in network.projections.values()} >= {0, 1, 62}
    trace = np.load(FOLDER / "ntidigits.npz")
    found = spikes(network, trace["input"].T.reshape(-1, 1, 1, 64), list(network.populations)[-1])
    expected = trace["output"].T[4:]  # three layers and the buffer that recorded it
    assert expected.sum() > 20_000
    np.testing.assert_array_equal(found[:-4], expected)
