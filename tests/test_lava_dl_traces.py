"""Traces that lava-dl 0.6.0 ships with its own tests (tests/data/lava_dl): its networks here, spike for spike."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from dalif_deploy.converters.netx.read import read_net
from dalif_deploy.hw_models.chip_network.form import ChipInput, Projection
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
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


def run_from_bias(path, mantissas, steps):
    """The whole file, its input layer fed as netx's is: `mantissas` [W, H, C] are the bias of its neurons."""
    with h5py.File(path) as file:
        weight, bias = (np.ravel(file[f"layer/0/{key}"][()]).item() for key in ("weight", "bias"))
    network = replace(read_net(path), steps=steps)
    image = (mantissas.T.astype(np.float64) - bias) / weight
    return simulate(network, encode_input(network, image[None]), record=("spikes",)).spikes


def test_tinynet_reads_from_its_file_and_fires_in_every_layer_as_recorded(traces):
    """tiny.net as it is: input neurons, two convolutions, 15 steps."""
    found = run_from_bias(FOLDER / "tiny.net", traces["tinynet.input_bias"], 15)
    for (name, spikes), trace in zip(found.items(), ("input", "layer1", "output"), strict=True):
        expected = traces[f"tinynet.{trace}"][0].transpose(3, 0, 1, 2)[1:]  # a step behind
        assert expected.sum() > 80
        np.testing.assert_array_equal(spikes[0], expected, err_msg=name)


def unpacked(traces, name):
    shape = traces[f"pilotnet.{name}.shape"]
    return np.unpackbits(traces[f"pilotnet.{name}"], count=int(np.prod(shape))).reshape(shape)


def test_pilotnet_reads_from_its_file_and_fires_in_every_layer_as_recorded(traces):
    """A trained network of 10 layers and its .net file as it is: 16 steps of an image.

    The trace of the last, non-firing layer contradicts the rest: it is not what the file's weights make of the
    recorded spikes before it.
    """
    found = run_from_bias(FOLDER / "pilotnet.net", traces["pilotnet.image"], 16)
    recorded = ["input", *(f"conv-{n}" for n in range(5)), *(f"fc-{n}" for n in range(3))]
    assert len(found) == len(recorded) + 1
    compared = 0
    for name, trace in zip(found, recorded, strict=False):
        expected = unpacked(traces, trace)
        assert expected.any()
        np.testing.assert_array_equal(found[name][0], expected, err_msg=trace)
        compared += expected.size
    assert compared == 2_536_128


def test_network_with_filtered_currents_and_a_delay_for_each_neuron():
    """The trained NTIDIGITS network: three dense layers of CUBA neurons, axonal delays of up to 62 steps."""
    network = read_net(FOLDER / "ntidigits.net")
    assert {p.delay for p in network.projections.values()} >= {0, 1, 62}
    trace = np.load(FOLDER / "ntidigits.npz")
    found = spikes(network, trace["input"].T.reshape(-1, 1, 1, 64), list(network.populations)[-1])
    expected = trace["output"].T[4:]  # three layers and the buffer that recorded it
    assert expected.sum() > 20_000
    np.testing.assert_array_equal(found[:-4], expected)
