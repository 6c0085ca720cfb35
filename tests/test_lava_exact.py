"""Lava gives, at every layer, step and neuron, what the chip's equations give neuron by neuron."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dalif_deploy.converters.lava.lava_session import run_lava
from dalif_deploy.hw_models.chip_network.form import ChipInput
from dalif_deploy.hw_models.samples.recording import EncodedInput
from tests import lava_networks as nets

pytestmark = pytest.mark.usefixtures("lava")
CHIP_TRACE = Path(__file__).parent / "data" / "nir_lif"


@pytest.mark.parametrize("name", nets.NETWORKS)
def test_lava_equals_the_equations(name):
    network, encoded = nets.NETWORKS[name]()
    expected = nets.scalar_reference(network, encoded)
    got = run_lava(network, encoded)
    for population, p in network.populations.items():
        np.testing.assert_array_equal(got.spikes[population], expected.spikes[population])
        np.testing.assert_array_equal(got.membrane[population], expected.membrane[population])
        if p.fires:  # or the comparison would say little
            assert expected.spikes[population].any(), population
    for output in network.outputs:
        np.testing.assert_array_equal(got.outputs[output], expected.outputs[output])


def test_saturating_network_does_saturate():
    network, encoded = nets.saturating_network()
    membrane = nets.scalar_reference(network, encoded).membrane
    assert np.abs(np.diff(membrane["wraps"].astype(np.int64), axis=1)).max() > 1 << 21
    assert membrane["clips"].min() == -(1 << 23) + 1


def test_only_what_was_asked_for_is_recorded():
    network, encoded = nets.dense_network()
    got = run_lava(network, encoded, record=("spikes",))
    assert set(got.spikes) == {"hidden", "readout"} and got.membrane == {}
    np.testing.assert_array_equal(got.outputs["value"], nets.scalar_reference(network, encoded).outputs["value"])


def test_no_samples_give_empty_recordings():
    network, _ = nets.dense_network()
    got = run_lava(network, EncodedInput(5, 0, {"events": np.zeros((0, 5, 10), np.int32)}))
    assert got.spikes["hidden"].shape == (0, 5, 7) and got.outputs["value"].shape == (0, 4)


def test_chip_trace_of_the_nir_paper():
    """One LIF neuron over 1000 steps: Lava's published trace, and the real Loihi's spikes (BSD-3, NIR team)."""
    lava = np.loadtxt(CHIP_TRACE / "lif_lava_cpu_fixed.csv", delimiter=",")
    loihi = np.loadtxt(CHIP_TRACE / "lif_lava_loihi_fixed.csv", delimiter=",")
    network = nets.network(
        1000,
        [ChipInput("spikes", (1,), "spikes")],
        [nets.population("lif", (1,), dv=163, vth=25)],
        [nets.synapses("spikes", "lif", np.array([[10]]))],
    )
    messages = lava[:, 0].astype(np.int32).reshape(1, 1000, 1)
    got = run_lava(network, EncodedInput(1000, 1, {"spikes": messages}))
    # the published traces are in Lava's time, one step behind: the hop from the input
    membrane = np.append(0, got.membrane["lif"][0, :-1, 0])
    spikes = np.append(0, got.spikes["lif"][0, :-1, 0])
    np.testing.assert_array_equal(membrane, lava[:, 1])
    np.testing.assert_array_equal(spikes, loihi[:, 2])
    np.testing.assert_array_equal(spikes.nonzero()[0], [461, 511, 711, 761])
    quiet = spikes == 0  # at its spikes the chip reads out 128
    np.testing.assert_array_equal(membrane[quiet], loihi[quiet, 1])
