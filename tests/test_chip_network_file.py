"""A compiled network's file: what the chip could not hold is refused by name."""

from dataclasses import replace

import numpy as np
import pytest

from dalif_deploy.hw_models.chip_network.file import read_chip_network, write_chip_network
from dalif_deploy.hw_models.chip_network.form import REGISTER_RANGES, ChipInput, ChipOutput, Projection
from dalif_deploy.hw_models.errors import UserError
from tests.chip_networks import chip, population


def small(**changed):
    """Two neurons after three inputs."""
    first = replace(population("first", (2,)), **changed)
    weight = np.array([[2, -4, 6], [0, 8, -256]], dtype=np.int16)
    return chip(
        [ChipInput("x", (3,), "spikes")],
        [first],
        [Projection("w", "x", "first", weight)],
        outputs=[ChipOutput("out", "first", "count")],
    )


def read_back(network, path):
    write_chip_network(path, network)
    return read_chip_network(path)


@pytest.mark.parametrize("register", list(REGISTER_RANGES))
@pytest.mark.parametrize("end", [0, 1])
def test_registers_keep_their_ends_and_nothing_beyond(tmp_path, register, end):
    limit = REGISTER_RANGES[register][end]
    inside = small(**{register: np.array([limit, 1])})
    np.testing.assert_array_equal(
        getattr(read_back(inside, tmp_path / "n.nir").populations["first"], register), [limit, 1]
    )
    outside = small(**{register: np.array([limit + (1 if end else -1), 1])})
    with pytest.raises(UserError, match=f"register {register} of layer first"):
        read_back(outside, tmp_path / "outside.nir")


@pytest.mark.parametrize("weight", [-257, 256])
def test_weights_beyond_nine_bits_are_refused(tmp_path, weight):
    network = small()
    network.projections["w"].weight[0, 1] = weight
    with pytest.raises(UserError, match="weights of w"):
        read_back(network, tmp_path / "n.nir")


def test_what_comes_back_is_what_was_written(tmp_path):
    network = small(reset="subtract", vth=np.array([5, 70]), dv=np.array(17))
    again = read_back(network, tmp_path / "n.nir")
    assert (again.chip, again.steps) == (network.chip, network.steps)
    assert again.inputs == network.inputs and again.outputs == network.outputs
    one, other = again.populations["first"], network.populations["first"]
    assert (one.name, one.shape, one.reset, one.fires, one.source) == (
        other.name, other.shape, other.reset, other.fires, other.source,
    )  # fmt: skip
    for register in REGISTER_RANGES:
        np.testing.assert_array_equal(getattr(one, register), getattr(other, register))
        assert np.shape(getattr(one, register)) == np.shape(getattr(other, register))
    w = again.projections["w"]
    assert (w.source, w.target, w.weight_exp, w.delay, w.geometry) == ("x", "first", 0, 0, None)
    np.testing.assert_array_equal(w.weight, network.projections["w"].weight)
