"""lava-dl's .net files: written, read, and run as netx itself ran one (tests/data/netx)."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from converters.artefact import load_artefact
from converters.export import export_network
from converters.netx.layers import round_biases
from converters.netx.read import read_net
from converters.netx.write import write_net
from converters.targets.request import ExportRequest
from dalif_deploy.simulation.engines import make_engine
from hw_models.chip_network import ChipInput, Geometry, Projection
from hw_models.errors import UserError
from hw_models.recording import EncodedInput
from hw_models.simulator import simulate
from tests.chip_networks import chip, population
from tests.test_commands import checkpoint

RECORDED = Path(__file__).parent / "data" / "netx"


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


def test_every_spike_and_membrane_is_what_netx_gave(tmp_path):
    seen = np.load(RECORDED / "seen.npz")
    artefact = export_network(RECORDED / "network.net", "lava", tmp_path / "out", request=ExportRequest(steps=4))
    network = artefact.network
    run = make_engine("fast", artefact, seen["messages"].astype(np.float32)).run(slice(None), ("spikes", "membrane"))
    assert len(network.populations) == len(seen["layers"]) == 3
    for name, layer in zip(network.populations, seen["layers"], strict=True):
        np.testing.assert_array_equal(run.spikes[name], seen[f"{layer}.spikes"], err_msg=layer)
    assert run.spikes[next(iter(network.populations))].mean() > 0.05
    np.testing.assert_array_equal(run.membrane[name], seen["membrane"])


def test_its_float_graph_fires_nearly_alike(tmp_path):
    artefact = export_network(RECORDED / "network.net", "lava", tmp_path / "out", request=ExportRequest(steps=4))
    x = np.load(RECORDED / "seen.npz")["messages"].astype(np.float32)
    fast, nir = (make_engine(engine, artefact, x).run(slice(None), ("spikes",)) for engine in ("fast", "nir"))
    for name, spikes in nir.spikes.items():
        # the graph's numbers are the chip's; only the decay is not truncated, which decides near ties of whole numbers
        assert (fast.spikes[name] != spikes).mean() < 0.01, name


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
    assert artefact.export["netx"] == {"input_message_bits": 5, "reset_interval": 8, "reset_offset": 1}
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

    def rename(layers, index, kind):
        del layers[index]["type"]
        layers[index].create_dataset("type", (1,), "S10", [kind])

    assert "layer1.unpool: unknown type of layer 'unpool'" in changed(lambda layers: rename(layers, "1", b"unpool"))
    assert "registers iDecay" in changed(lambda layers: layers["1/neuron/vDecay"].write_direct(np.array(5000)))
    assert "not a readable .net file" in changed(lambda layers: layers["1"].pop("weight"))
    assert "2 delays for 7 neurons" in changed(lambda layers: layers["3"].create_dataset("delay", data=[0, 1]))
    assert "of type SDNN" in changed(lambda layers: rename(layers["1"], "neuron", b"SDNN"))
    path.write_bytes(b"no hdf5")
    with pytest.raises(UserError, match=r"not a readable"):
        read_net(path)
