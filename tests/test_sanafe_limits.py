"""Where SANA-FE's Loihi, which keeps numbers without bounds, meets the 24 bits of the chip's registers."""

from pathlib import Path

import numpy as np
import pytest

from dalif_deploy.data import load_data
from dalif_deploy.hw_models.chip_network.file import read_chip_network
from dalif_deploy.hw_models.chip_network.form import STATE_LIMIT, ChipInput, ChipOutput, Projection
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.input_data import take_samples
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from tests import scalar_chip
from tests.chip_networks import chip, population
from tests.random_spiking_networks import Features, random_spiking_network

pytest.importorskip("sanafe")
from dalif_deploy.converters.sanafe.run import run_sanafe

RECORDED = Path(__file__).parent / "data" / "sanafe" / "network.nir"
CLIP = STATE_LIMIT - 1
SEEDS = (7, 51)  # networks whose membranes clip


def assert_same(network, encoded):
    ours, (theirs, _) = simulate(network, encoded), run_sanafe(network, encoded)
    for name in network.populations:
        np.testing.assert_array_equal(theirs.spikes[name], ours.spikes[name], err_msg=name)
        np.testing.assert_array_equal(theirs.membrane[name], ours.membrane[name], err_msg=name)
    for name, values in ours.outputs.items():
        np.testing.assert_array_equal(theirs.outputs[name], values)
    return ours


def test_a_trained_network_whose_membrane_falls_below_its_register(caplog):
    network = read_chip_network(RECORDED)
    inputs = load_data("digits:test", steps=network.steps).inputs
    encoded = encode_input(network, take_samples(inputs, slice(46, 47)))
    run = assert_same(network, encoded)
    assert (run.membrane["4"] == -CLIP).sum() == 5
    assert "4: 5 membranes grew beyond 24 bits in SANA-FE" in caplog.text


def test_random_networks_beyond_the_membrane_s_register():
    features, clipped = Features(soft_reset=True, per_neuron=True, beyond_membrane=True), 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        run = assert_same(*random_spiking_network(rng, features, steps=8, samples=1, largest=20))
        clipped += sum(int((np.abs(m) == CLIP).sum()) for m in run.membrane.values())
    assert clipped == 2 + 19


def test_both_ends_soft_resets_above_and_a_readout_at_the_largest_threshold():
    """Neuron 0 climbs beyond the clip and fires, neuron 1 falls beyond it: 3 * 254 * 128 * 64 = 6,242,304 a step.

    The readout gets 131,071 units of 64 and a bias that decides whether that is above the largest threshold; the clip,
    63 units higher, is not met. Its spikes come from an input of its own: each has its own units in SANA-FE.
    """
    weight = np.repeat(np.array([[254], [-254]]), 3, axis=1)
    registers = {"dv": 0, "vth": [131071, 131071], "mant": [4095, -4096], "exp": 7}
    most, rest = np.full((4, 5), 255), np.zeros((4, 5), int)
    most[:, 4], rest[:, 0] = 3, 127
    network = chip(
        [ChipInput("three", (3,), "spikes"), ChipInput("five", (5,), "spikes")],
        [population("zero", (2,), **registers), population("subtract", (2,), **registers, reset="subtract"),
         population("readout", (4,), dv=0, vth=131071, mant=[-1, 0, 1, 60], fires=False)],
        [Projection("a", "three", "zero", weight, 7), Projection("b", "three", "subtract", weight, 7),
         Projection("c", "five", "readout", most, 7), Projection("d", "five", "readout", rest, 0)], steps=4,
        outputs=[ChipOutput("out", "subtract", "membrane")],
    )  # fmt: skip
    five = np.array([[[1] * 5, [0] * 5, [0] * 5, [0] * 5]], np.int32)
    encoded = EncodedInput(4, 1, {"three": np.ones((1, 4, 3), np.int32), "five": five})
    run = assert_same(network, encoded)
    spikes, membrane = scalar_chip.run(network, encoded)
    for name in network.populations:
        np.testing.assert_array_equal(run.spikes[name], spikes[name], err_msg=name)
        np.testing.assert_array_equal(run.membrane[name], membrane[name], err_msg=name)
    for name in ("zero", "subtract"):
        assert run.spikes[name][0, :, 0].any() and run.membrane[name][0, -1, 1] == -CLIP
    assert CLIP - (131071 << 6) in run.membrane["subtract"][0]
    np.testing.assert_array_equal(run.spikes["readout"][0, 0], [0, 0, 1, 1])


@pytest.mark.parametrize(("lacking", "wraps"), [(0, True), (1, False)])
def test_a_current_that_wraps_is_refused_and_one_that_could_is_not(lacking, wraps):
    """5 * 255 * 128 * 64 is beyond 2^23, 4 of them are not."""
    weight = np.full((1, 5), 255)
    network = chip(
        [ChipInput("input", (5,), "spikes")], [population("p", (1,), dv=4095, vth=9000)],
        [Projection("w", "input", "p", weight, 7)], steps=3, outputs=[ChipOutput("out", "p", "count")],
    )  # fmt: skip
    messages = np.ones((2, 3, 5), np.int32)
    messages[:, :, :lacking] = 0
    messages[0] = 0
    encoded = EncodedInput(3, 2, {"input": messages})
    if wraps:
        with pytest.raises(UserError, match=r"^p: a current beyond 24 bits in sample 1, step 0: the chip wraps it"):
            run_sanafe(network, encoded)
    else:
        assert assert_same(network, encoded).spikes["p"].any()
