"""The ends of what a .net file's registers hold: the last value is read, the next one is refused by name."""

import h5py
import numpy as np
import pytest

from dalif_deploy.converters.netx.dense_synapses import check_weights
from dalif_deploy.converters.netx.layer_chain import round_biases
from dalif_deploy.converters.netx.read import read_net
from dalif_deploy.converters.netx.write import write_net
from dalif_deploy.hw_models.chip_network.form import ChipInput, Projection
from dalif_deploy.hw_models.errors import UserError
from tests.chip_networks import chip, population


@pytest.fixture
def with_values(tmp_path):
    """Writes a chain 4-3-2, puts values into its second layer, and reads it."""
    weight = np.array([[4, -6, 8, 0], [2, 2, -4, 6], [0, 2, 0, -8]], np.int16)
    network = chip(
        [ChipInput("input", (4,), "spikes")],
        [population("first", (3,), dv=9, vth=5), population("last", (2,), dv=3, vth=7)],
        [Projection("a", "input", "first", weight), Projection("b", "first", "last", weight[:2, :3])],
        steps=4,
    )

    def read(**values):
        write_net(tmp_path / "x.net", network)
        with h5py.File(tmp_path / "x.net", "a") as file:
            layer = file["layer/2"]
            for key, value in values.items():
                group = layer if key in ("weight", "bias", "delay") else layer["neuron"]
                if key in group:
                    del group[key]
                group[key] = np.array(value)
        back = read_net(tmp_path / "x.net")
        return back.populations["layer2.dense"], back.incoming("layer2.dense")

    return read


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [("iDecay", 1, 4096), ("vDecay", 0, 4095), ("vThMant", 0, 2**18 - 1), ("refDelay", None, 1)],
)
def test_each_register_s_ends(with_values, key, low, high):
    inside = [value for value in (low, high) if value is not None]
    held = {value: with_values(**{key: value})[0] for value in inside}
    of = {"iDecay": lambda p: p.du + 1, "vDecay": lambda p: p.dv}
    if key in of:
        assert {value: int(of[key](p)) for value, p in held.items()} == {value: value for value in inside}
    if key == "vThMant":  # above the membrane's own clip it never fires
        assert (int(held[0].vth), held[0].fires) == (0, True)
        assert (int(held[high].vth), held[high].fires) == (131071, False)
    for value in (high + 1, *([] if low is None else [low - 1])):
        with pytest.raises(UserError, match=r"^layer2\.dense: (register|a refractory)"):
            with_values(**{key: value})


def test_biases_weights_and_delays_to_their_ends(with_values):
    assert with_values(bias=[4095, -4096])[0].bias_mant.tolist() == [4095, -4096]
    for bias in (4096, -4097):
        with pytest.raises(UserError, match=r"^layer2\.dense: biases of "):
            with_values(bias=[bias, bias])
    assert with_values(weight=[[254, -256, 2], [0, 4, 8]])[1][0].weight.tolist() == [[254, -256, 2], [0, 4, 8]]
    for weight in (256, -257):
        with pytest.raises(UserError, match=r"^layer2\.dense: weights of "):
            with_values(weight=[[weight, 0, 0], [2, 2, 2]])
    for given, held in ((0, 0), (1, 1), (62, 62), (63, 62)):
        assert [p.delay for p in with_values(delay=[given])[1]] == [held]
    # one a target neuron, one a source, one a synapse: a projection for each delay that occurs
    assert sorted(p.delay for p in with_values(delay=[3, 0])[1]) == [0, 3]
    late = {p.delay: p.weight.tolist() for p in with_values(delay=[0, 5, 5])[1]}
    assert late == {0: [[4, 0, 0], [2, 0, 0]], 5: [[0, -6, 8], [0, 2, -4]]}
    late = {p.delay: p.weight.tolist() for p in with_values(delay=[[0, 1, 1], [1, 0, 0]])[1]}
    assert late == {0: [[4, 0, 0], [0, 2, -4]], 1: [[0, -6, 8], [2, 0, 0]]}


def test_what_neurons_can_not_be_is_refused(with_values):
    with_values(gradedSpike=0)
    with pytest.raises(UserError, match=r"^layer2\.dense: graded spikes"):
        with_values(gradedSpike=1)
    with pytest.raises(UserError, match=r"^layer2\.dense: neurons that never fire beside others"):
        with_values(vThMant=[100, 2**18 - 1])
    with_values(vThMant=[100, 131071])
    with pytest.raises(UserError, match=r"^layer2\.dense: 3 values of vDecay"):
        with_values(vDecay=[1, 2, 3])


def test_means_over_outputs_may_end_a_file(with_values, tmp_path):
    """netx leaves them to whoever reads the outputs."""
    expected = with_values()[0]
    with h5py.File(tmp_path / "x.net", "a") as file:
        file.create_group("layer/3").create_dataset("type", (1,), "S10", [b"average"])
    back = read_net(tmp_path / "x.net")
    assert (
        list(back.populations) == ["layer1.dense", "layer2.dense"]
        and back.outputs["output"].population == expected.name
    )


def test_rounded_biases_say_how_far_they_moved():
    """By thresholds: 100 becomes 2 * 64, of a threshold of 5 * 64; -64 stays."""
    network = chip(
        [ChipInput("input", (2,), "spikes")],
        [population("p", (2,), vth=5, mant=np.array([100, -64]), exp=0)],
        [Projection("a", "input", "p", np.array([[2, -2], [4, 2]], np.int16))],
        steps=4,
    )
    rounded, changes = round_biases(network)
    assert rounded.populations["p"].bias.tolist() == [128, -64]
    assert changes == {"p": pytest.approx(28 / (5 * 64))}


def test_mixed_weights_pass_where_lava_leaves_them_as_they_are(lava):
    """Lava's own choice of bits, clip and truncation, over matrices of both signs; 255 is off their grid."""
    from lava.utils.weightutils import SignMode, clip_weights, optimize_weight_bits, truncate_weights

    rng, seen = np.random.default_rng(0), {True: 0, False: 0}
    for _ in range(400):
        most = int(rng.choice([1, 3, 8, 32, 63, 64, 65, 127, 128, 129, 254, 255]))
        weight = rng.integers(-most, most + 1, (2, 3)) * int(rng.choice([1, 2]))
        weight[0, :2] = most, -int(rng.integers(1, most + 1))
        weight = np.clip(weight, -256, 255)
        best = optimize_weight_bits(weight, SignMode.MIXED)
        kept = clip_weights(best.weights, SignMode.MIXED, 8)
        kept = truncate_weights(kept, SignMode.MIXED, best.num_weight_bits) * 2.0**best.weight_exp
        as_it_is = bool((kept == weight).all())
        seen[as_it_is] += 1
        if as_it_is:
            check_weights("x", weight)
        else:
            with pytest.raises(UserError, match="netx runs"):
                check_weights("x", weight)
    assert min(seen.values()) > 10
