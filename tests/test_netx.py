"""lava-dl's .net files: written and read; see test_netx_recorded.py for what netx itself made of them."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from dalif_deploy.converters.artefact import load_artefact
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.converters.netx.dense_synapses import check_weights
from dalif_deploy.converters.netx.layer_chain import round_biases
from dalif_deploy.converters.netx.read import read_net
from dalif_deploy.converters.netx.write import write_net
from dalif_deploy.hw_models.chip_network.form import ChipInput, Geometry, Projection
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.simulation.engines import make_engine
from tests.chip_networks import chip, population
from tests.test_commands import checkpoint


def small_chain(seed=0):
    rng = np.random.default_rng(seed)

    def weights(*dims):
        return (rng.integers(-60, 61, dims) * 2).astype(np.int16)

    populations = [
        population("first", (4, 3, 4), dv=900, vth=40, mant=rng.integers(-9, 9, (4, 1, 1)), exp=6),
        population("second", (7,), du=1200, dv=300, vth=90, mant=rng.integers(-50, 50, 7), exp=6),
        population("readout", (3,), dv=0, vth=131071, fires=False, mant=np.array([3, 0, -2]), exp=6),
    ]
    projections = [
        Projection("a", "input", "first", weights(4, 1, 3, 2), 0, Geometry((2, 1), (1, 0), (1, 1), 2)),
        Projection("b", "first", "second", weights(7, 48)),
        Projection("c", "second", "readout", weights(3, 7)),
    ]
    return chip([ChipInput("input", (2, 5, 5), "spikes")], populations, projections, steps=6)


def test_delays_of_each_neuron_and_synapse_are_written(tmp_path):
    network = small_chain()
    rng = np.random.default_rng(0)
    for population_ in network.populations.values():
        population_.bias_mant = np.array(0)
    late = rng.integers(0, 5, (7, 1)), rng.integers(0, 3, (3, 7))
    for name, delays in zip(("b", "c"), late, strict=True):
        whole = network.projections.pop(name)
        for delay in range(5):
            part = np.where(delays == delay, whole.weight, 0).astype(np.int16)
            network.projections[f"{name}{delay}"] = replace(whole, name=f"{name}{delay}", weight=part, delay=delay)
    write_net(tmp_path / "x.net", network)
    with h5py.File(tmp_path / "x.net") as file:
        assert [file[f"layer/{n}/delay"].ndim for n in (3, 4)] == [1, 2]
    back = read_net(tmp_path / "x.net")
    encoded = EncodedInput(9, 4, {"input": (rng.random((4, 9, 2, 5, 5)) < 0.5).astype(np.int32)})
    one, two = (simulate(each, encoded, record=("spikes", "membrane")) for each in (network, back))
    for first, second in zip(network.populations, back.populations, strict=True):
        assert one.membrane[first].any()
        np.testing.assert_array_equal(one.spikes[first], two.spikes[second])
        np.testing.assert_array_equal(one.membrane[first], two.membrane[second])
    network.populations["first"].bias_mant = np.array(2)
    assert refusal(network, tmp_path).startswith("second: delays after a layer with biases")


def test_export_with_delays_says_one_sample_a_run(tmp_path):
    network = small_chain()
    for each in network.populations.values():
        each.bias_mant = np.array(0)
    network.projections["c"].delay = 2
    write_net(tmp_path / "x.net", network)
    artefact = export_network(tmp_path / "x.net", "netx", tmp_path / "out", request=ExportRequest(steps=6))
    assert artefact.export["netx"] == {
        "input_message_bits": 0, "reset_interval": 10, "reset_offset": 1, "samples_a_run": 1,
    }  # fmt: skip


# as Lava ran them (lava-dl 0.6.0): -128 as -127; all -2 as 0; 255 as 254; 0 not at all
@pytest.mark.parametrize("weight", [[[-128, -3]], [[-2, -2]], [[255, -2]], [[0, 0]]])
def test_weights_that_netx_runs_as_others_are_refused(weight):
    with pytest.raises(UserError, match=r"^x: .*netx"):
        check_weights("x", np.array(weight))


@pytest.mark.parametrize("weight", [[[-100, 0]], [[253, -3]], [[-256, 254]], [[255, 0]], [[1, 0]], [[64, 64]]])
def test_weights_that_netx_runs_as_they_are_pass(weight):
    check_weights("x", np.array(weight))


@pytest.mark.parametrize("seed", range(4))
def test_written_and_read_again_it_is_the_same_network(seed, tmp_path):
    network = small_chain(seed)
    write_net(tmp_path / "x.net", network)
    back = read_net(tmp_path / "x.net")
    rng = np.random.default_rng(seed)
    messages = (rng.random((5, 6, 2, 5, 5)) < 0.5).astype(np.int32)
    one, two = (
        simulate(each, EncodedInput(6, 5, {"input": messages}), record=("spikes", "membrane"))
        for each in (network, back)
    )
    for first, second in zip(network.populations, back.populations, strict=True):
        assert one.spikes[first].any() or first == "readout"
        np.testing.assert_array_equal(one.spikes[first], two.spikes[second])
        np.testing.assert_array_equal(one.membrane[first], two.membrane[second])


def test_export_rounds_biases_and_every_engine_runs_what_the_file_says(tmp_path):
    out = export_network(
        checkpoint(tmp_path / "m.pt", channels=[4, 6], strides=[1, 2]), "netx", tmp_path / "out"
    ).folder
    artefact = load_artefact(out)
    back = read_net(out / "network.net")
    for mine, read in zip(artefact.network.populations.values(), back.populations.values(), strict=True):
        assert (mine.bias % 64 == 0).all()
        np.testing.assert_array_equal(*np.broadcast_arrays(mine.bias, read.bias))
    assert artefact.export["netx"] == {
        "input_message_bits": 5, "reset_interval": 8, "reset_offset": 1, "samples_a_run": None,
    }  # fmt: skip
    assert max(artefact.export["biases_rounded_by_thresholds"].values()) < 0.01


def test_its_float_graph_keeps_the_delays_of_each_neuron(tmp_path):
    write_net(tmp_path / "x.net", small_chain())
    with h5py.File(tmp_path / "x.net", "a") as file:
        file["layer/3"].create_dataset("delay", data=np.array([0, 2, 2, 1, 0, 5, 1]))
    artefact = export_network(tmp_path / "x.net", "lava", tmp_path / "out", request=ExportRequest(steps=9))
    x = (np.random.default_rng(0).random((6, 9, 2, 5, 5)) < 0.5).astype(np.float32)
    fast, nir = (make_engine(engine, artefact, x).run(slice(None), ("spikes",)) for engine in ("fast", "nir"))
    for name, spikes in nir.spikes.items():
        assert spikes.any() and (fast.spikes[name] != spikes).mean() < 0.02, name
    # a neuron whose input is five steps late can't know of the first steps
    late = simulate(artefact.network, EncodedInput(9, 6, {"input": x.astype(np.int32)}), record=("membrane",))
    second = list(artefact.network.populations)[1]
    bias = artefact.network.populations[second].bias[5]
    assert (late.membrane[second][:, 0, 5] == bias).all()


def test_pool_sums_each_channel_alone(tmp_path):
    network = small_chain()
    network.projections["a"] = Projection(
        "a", "input", "first", np.full((2, 1, 3, 2), 6, np.int16), 0, Geometry((2, 1), (1, 0), (1, 1), 2)
    )
    network.populations["first"] = population("first", (2, 3, 4), dv=900, vth=9)
    network.projections["b"].weight = network.projections["b"].weight[:, :24]
    write_net(tmp_path / "x.net", network)
    with h5py.File(tmp_path / "x.net", "a") as file:
        layer = file["layer/1"]
        del layer["type"], layer["groups"], layer["weight"]
        layer.create_dataset("type", (1,), "S10", [b"pool"])
        layer["weight"] = np.full((1, 1, 3, 2, 1), 6.0)  # SLAYER's: one kernel
    back = read_net(tmp_path / "x.net")
    encoded = EncodedInput(6, 5, {"input": (np.random.default_rng(0).random((5, 6, 2, 5, 5)) < 0.2).astype(np.int32)})
    one, two = (simulate(each, encoded, record=("spikes",)).spikes for each in (network, back))
    assert 0.05 < one["first"].mean() < 0.95
    np.testing.assert_array_equal(one["first"], two["layer1.pool"])


def refusal(network, tmp_path):
    with pytest.raises(UserError) as refused:
        write_net(tmp_path / "x.net", network)
    return str(refused.value)


def test_what_the_format_can_not_say_is_refused_by_name(tmp_path):
    network = small_chain()
    network.populations["first"].vth = np.arange(1, 5).reshape(4, 1, 1)
    assert refusal(network, tmp_path).startswith("first: several values of vth")
    network = small_chain()
    network.populations["second"].reset = "subtract"
    assert refusal(network, tmp_path).startswith("second: a reset by subtraction")
    network = small_chain()
    network.projections["c"].weight_exp = 2
    assert refusal(network, tmp_path).startswith("c: a weight exponent of 2")
    network = small_chain()
    network.projections["skip"] = Projection("skip", "first", "readout", np.zeros((3, 48), np.int16))
    assert refusal(network, tmp_path).startswith("first: leads to several layers")
    network = small_chain()
    network.inputs["input"].mode = "bias"
    network.host_projections["h"] = None
    assert "no bias computed on a host" in refusal(network, tmp_path)
    network = small_chain()
    network.projections["a"].delay = 1
    assert refusal(network, tmp_path).startswith("a: a delay of 1 steps, which netx leaves out in a convolution")
    network = small_chain()
    network.projections["c"].weight = np.full((3, 7), -2, np.int16)
    assert refusal(network, tmp_path).startswith("c: netx runs 21 of its weights as others")
    network = small_chain()
    network.populations["second"].fires = False
    assert refusal(network, tmp_path).startswith("second: never fires")
    network = small_chain()
    network.populations["first"].bias_exp = np.array(3)
    assert refusal(network, tmp_path).startswith("first: a bias that is not a multiple of 64")
    network = small_chain()
    network.projections["d"] = Projection("d", "readout", "readout", np.eye(3, dtype=np.int16), delay=1)
    assert "is a chain" in refusal(network, tmp_path)
    network = small_chain()
    network.populations["second"].bias_mant, network.populations["second"].bias_exp = np.array(4095), np.array(7)
    with pytest.raises(UserError, match=r"^second: a bias that needs an exponent above 6"):
        round_biases(network)


def test_damaged_and_foreign_files_are_one_line(tmp_path):
    path = tmp_path / "x.net"

    def changed(change):
        write_net(path, small_chain())
        with h5py.File(path, "a") as file:
            change(file["layer"])
        with pytest.raises(UserError) as refused:
            read_net(path)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    def values(group, key, new):
        if key in group:
            del group[key]
        group[key] = np.array(new)

    def rename(layers, index, kind):
        del layers[index]["type"]
        layers[index].create_dataset("type", (1,), "S10", [kind])

    assert "layer1.unpool: unknown type of layer 'unpool'" in changed(lambda layers: rename(layers, "1", b"unpool"))
    # it may end a network, where netx leaves it to the reader
    assert "layer1.average: unknown type" in changed(lambda layers: rename(layers, "1", b"average"))
    assert "register vDecay of 5000" in changed(lambda layers: layers["1/neuron/vDecay"].write_direct(np.array(5000)))
    assert "not a readable .net file" in changed(lambda layers: layers["1"].pop("weight"))
    assert "2 delays for 7 neurons" in changed(lambda layers: layers["3"].create_dataset("delay", data=[0, 1]))
    assert "3 values of vDecay" in changed(lambda layers: values(layers["3/neuron"], "vDecay", [1, 2, 3]))
    assert "biases of -50..9999" in changed(lambda layers: values(layers["3"], "bias", [-50, 9999, 0, 0, 0, 0, 0]))
    assert "a bias without neurons" in changed(lambda layers: layers["4"].pop("neuron"))
    assert "a delay of -1" in changed(lambda layers: values(layers["3"], "delay", [-1]))
    assert "layer3.dense: never fires" in changed(lambda layers: values(layers["3/neuron"], "vThMant", 262143))
    assert "layer3.dense: complex weights" in changed(
        lambda layers: (layers["3"].pop("weight"), layers.create_group("3/weight"))
    )
    assert "of type SDNN" in changed(lambda layers: rename(layers["1"], "neuron", b"SDNN"))
    path.write_bytes(b"no hdf5")
    with pytest.raises(UserError, match=r"not a readable"):
        read_net(path)
