"""Memory priced after Lemaire et al. 2022: worked out on paper, for the spiking network and for one dense pass."""

import numpy as np
import pytest

from dalif_deploy.hw_models.chip_network.form import ChipInput, Geometry, Projection
from dalif_deploy.hw_models.energy.constant_set import load_constants
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.figures import Joules
from dalif_deploy.hw_models.energy.opponents.memory_accounting import (
    RELU,
    SPIKING,
    DenseLayer,
    dense_layers,
    dense_row,
    memory_account,
    which_costs_less,
)
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.simulation.relu_baseline import relu_baseline
from tests.chip_networks import chip, population
from tests.test_energy_models import make_network, run
from tests.test_relu_baseline import trained


def access(data, bits=8):
    """Picojoules of an access by itself, from a memory that holds `data` of `bits` bits."""
    return 13.2 + 1.09e-5 * data * bits


def picojoules(row):
    return {term.name: term.joules.mean * 1e12 for term in row.terms}


def counted(row):
    return {term.name: term.count.mean for term in row.terms}


def rows(account):
    return {row.network: row for row in account.rows}


def test_prices_follow_the_srams_that_they_were_fitted_to():
    """Horowitz: an access of 64 bits takes 10, 20 and 100 pJ at 8 KB, 32 KB and 1 MB; the fit is coarse, and theirs."""
    constants = load_constants("cmos45_horowitz2014")
    fit = [
        constants["sram_access"].value + constants["sram_access_per_bit"].value * bits for bits in (2**16, 2**18, 2**23)
    ]
    assert fit == pytest.approx([10, 20, 100], rel=0.4)
    assert constants["sram_access_64_bits"].value == 10


def test_spiking_network_by_hand():
    """4 steps: one input spike each into 5 neurons, five spikes each into 3; 20 and 60 synaptic operations."""
    network, _, counts = run(rows=[(1, 0, 0, 0)])
    row = rows(memory_account(network, counts))[SPIKING]
    found = picojoules(row)
    assert counted(row)["inputs and outputs"] == 4 + 20 + 20  # messages of either layer read, spikes written
    assert found["inputs and outputs"] == pytest.approx(44 * 13.2)
    assert found["weights"] == pytest.approx(20 * access(20) + 60 * access(15))
    membranes = (20 + 5 * 4) * access(5, 24) + (60 + 3 * 4) * access(3, 24)
    assert found["membranes"] == pytest.approx(2 * membranes)  # read and written
    assert found["addresses"] == pytest.approx(80 * 0.1)
    assert found["arithmetic"] == pytest.approx(80 * 0.1)
    assert "biases" not in found
    assert row.total.mean * 1e12 == pytest.approx(sum(found.values()))
    packed = (44 + 80) * 10 / 8 + 2 * (80 + 32) * 10 / 2 + 80 * 0.1 + 80 * 0.03
    assert row.total.low * 1e12 == pytest.approx(packed)
    assert row.total.high == pytest.approx(row.total.mean)


def test_dense_pass_by_hand():
    network, _, counts = run(rows=[(1, 0, 0, 0)])
    found = picojoules(rows(memory_account(network, counts))[RELU])
    assert found["weights"] == pytest.approx(20 * access(20) + 15 * access(15))
    assert found["inputs and outputs"] == pytest.approx(4 * access(4) + 5 * access(5) + 5 * access(5) + 3 * access(3))
    assert found["addresses"] == pytest.approx(35 * 0.1)
    assert found["arithmetic"] == pytest.approx(35 * 0.3)


def test_biases_are_read_in_each_step_by_spikes_and_once_by_a_dense_pass():
    network, encoded, _ = run(rows=[(1, 0, 0, 0)])
    network.populations["hidden"].bias_mant = np.full(5, 7)
    found = rows(memory_account(network, count_activity(network, encoded)))
    assert picojoules(found[SPIKING])["biases"] == pytest.approx(4 * 5 * access(5))
    assert picojoules(found[RELU])["biases"] == pytest.approx(5 * access(5))


def test_a_layer_on_the_host_is_a_dense_pass_in_float():
    network, _, counts = run("bias", rows=[(3, 0, 7, 0)])
    row = rows(memory_account(network, counts))[SPIKING]
    spikes = counts.populations["hidden"].spikes[0]
    assert counted(row)["weights"] == 20 + counts.synaptic_operations()[0]
    assert counted(row)["inputs and outputs"] == 4 + 5 + counts.messages_sent()[0] + spikes
    assert counted(row)["biases"] == 5 + 4 * 5  # by the host once, by the chip in each step
    weights = 20 * access(20, 32) + counts.synaptic_operations()[0] * access(15)
    assert picojoules(row)["weights"] == pytest.approx(weights)


def convolution():
    """A 1x3x3 image, two channels of 2x2 kernels: 2x2x2 neurons, none of which can fire."""
    geometry = Geometry((1, 1), (0, 0), (1, 1))
    layer = Projection("in-out", "in", "out", np.ones((2, 1, 2, 2), dtype=np.int16), geometry=geometry)
    image = ChipInput("in", (1, 3, 3), "spikes")
    return chip([image], [population("out", (2, 2, 2), vth=131071)], [layer], steps=1, name="loihi1")


def test_convolutions_read_an_input_for_each_mac_and_compute_addresses_of_spikes():
    network = convolution()
    (layer,) = dense_layers(network)
    assert layer == DenseLayer(inputs=9, outputs=8, weights=8, biases=0, kernel_steps=8, macs=32)
    image = np.zeros((1, 1, 3, 3))
    image[0, 0, 1, 1] = 1  # under every position of the kernel: 2 * 4 operations
    counts = count_activity(network, encode_input(network, image))
    found = rows(memory_account(network, counts))
    assert picojoules(found[SPIKING])["addresses"] == pytest.approx(8 * 0.1 + 2 * 3.2)
    assert counted(found[RELU])["inputs and outputs"] == 32 + 8
    assert picojoules(found[RELU])["addresses"] == pytest.approx((9 + 8 + 8) * 0.1)


def test_branches_that_meet_write_once_and_loops_have_no_dense_equal():
    network = make_network()
    network.projections["skip"] = Projection("skip", "in", "out", np.ones((3, 4), int))
    assert [layer.outputs for layer in dense_layers(network)] == [5, 3, 0]
    network.projections["loop"] = Projection("loop", "hidden", "hidden", np.ones((5, 5), int), delay=1)
    assert dense_layers(network) is None
    encoded = encode_input(network, np.array([(1.0, 0, 0, 0)]))
    account = memory_account(network, count_activity(network, encoded))
    assert [row.network for row in account.rows] == [SPIKING] and account.sentence() is None


@pytest.mark.parametrize(
    ("spiking", "relu", "words"),
    [
        (
            (3e-9, 2e-9),
            (2e-9, 1e-9),
            "it would have cost less: 2.00 nJ (1.00 nJ) a sample, the spiking network 3.00 nJ",
        ),
        ((2e-9, 1e-9), (3e-9, 2e-9), "it would not have cost less"),
        ((3e-9, 1e-9), (2e-9, 2e-9), "the price of an access decides whether it costs less"),
    ],
)
def test_the_sentence_compares_at_each_price_of_an_access(spiking, relu, words):
    def joules(value, low):
        return Joules(mean=value, std=0.0, best=value, worst=value, low=low, high=value)

    assert words in which_costs_less(joules(*spiking), joules(*relu), "it")


def test_layers_of_a_trained_relu_network(tmp_path):
    path, network = trained(tmp_path)
    shape = tuple(network.spec.input_shape)
    found = relu_baseline(path, np.ones((2, *shape), np.float32), np.zeros(2, int))
    assert found.layers[0].inputs == np.prod(shape)
    assert sum(layer.macs for layer in found.layers) == found.macs
    assert found.layers[-1].outputs == 10
    row = dense_row("m.pt", found.layers)
    assert counted(row)["weights"] == found.macs
    assert {term.name for term in row.terms} >= {"weights", "biases", "inputs and outputs", "addresses", "arithmetic"}
