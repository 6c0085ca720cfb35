"""A chip whose neurons compute otherwise, put behind the seam: a file of its own and an entry in the table.

Its membrane decays by a shift, rounded down, and saturates at 12 bits; it fires as often a step as the threshold fits
into the membrane, up to three times, and subtracts as much.
"""

import nir
import numpy as np
import pytest
import torch

from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.converters.lava.checks import check_network
from dalif_deploy.converters.netx.layer_chain import chain_of
from dalif_deploy.converters.onnx.chip_model import chip_model
from dalif_deploy.converters.sanafe.sanafe_network import build_sanafe
from dalif_deploy.converters.source import source_of_graph
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.arithmetic import ARITHMETICS, Arithmetic, Decays, arithmetic_of
from dalif_deploy.hw_models.chips import names as chip_files
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.training import TrainConfig
from dalif_deploy.training.training_run import chip_target
from tests import nir_networks, scalar_chip

LIMIT, MOST = 2047, 3  # of the membrane in units of 64, and of spikes a step


class ShiftSynapses:
    """Dense projections alone, int64."""

    def __init__(self, projections):
        self.weights = [torch.as_tensor(p.weight.astype(np.int64) << p.weight_exp) for p in projections]

    def sum(self, messages, static=None, counts=None):
        parts = [(m.to(torch.int64)[..., None, :] * self.weights[i]).sum(-1) for i, m in messages.items()]
        return sum(parts, 0 if static is None else static) if parts else static

    def current(self, total, counts=None):
        return total


class ShiftState:
    filters_current = False

    def __init__(self, population, samples, bias):
        self.shift = torch.as_tensor(np.log2(4096 / population.dv.clip(1)).astype(np.int64))
        self.decays = torch.as_tensor(population.dv > 0)
        self.threshold, self.fires = torch.as_tensor(population.vth.astype(np.int64)), population.fires
        self.bias = torch.as_tensor((population.bias if bias is None else bias) >> 6)
        self.v = torch.zeros(samples, *population.shape, dtype=torch.int64)

    def drive(self, current):
        return self.bias.expand_as(self.v) if current is None else current + self.bias

    def step(self, drive, spikes, *, overwrite):
        self.v = torch.where(self.decays, self.v - (self.v >> self.shift), self.v) + drive
        self.v.clamp_(-LIMIT, LIMIT)
        if self.fires:
            times = (self.v // self.threshold).clamp(0, MOST)
            spikes.copy_(times)
            self.v -= times * self.threshold


class Shifts(Arithmetic):
    name = "shifts"
    resets = ("subtract",)

    def decays(self, beta, syn_beta):
        assert syn_beta is None
        halvings = np.rint(-np.log2(np.clip(1.0 - np.asarray(beta), 1 / 4096, 1)))
        return Decays(np.array(4095), (4096 / 2**halvings).astype(np.int64), 1.0)

    def bounds(self, network, population, steps):
        return None

    def headroom(self, network, population, steps, synaptic_bits):
        return {"current_bits": 12, "current_may_wrap": False, "membrane_may_clip": True, "synaptic_bound": LIMIT}

    def synapses(self, population, projections, source_shapes, bounds, device):
        return ShiftSynapses(projections)

    def state(self, population, bounds, samples, device, bias=None, counts=None):
        return ShiftState(population, samples, bias)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The name of the chip."""
    text = (chip_files.CHIP_FOLDER / "loihi1.toml").read_text(encoding="utf-8")
    for old, new in (
        ('name = "loihi1"', 'name = "mine"'),
        ('title = "Loihi 1"', 'title = "Mine"'),
        ('arithmetic = "lava"', 'arithmetic = "shifts"'),
        ('resets = ["zero"]', 'resets = ["subtract"]'),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "mine.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(chip_files, "CHIP_FOLDER", tmp_path / "chips")
    monkeypatch.setitem(ARITHMETICS, "shifts", Shifts())
    return "mine"


@pytest.fixture
def network(mine, tmp_path):
    rng = np.random.default_rng(3)
    neurons = [nir_networks.lif((n,)) for n in (6, 4)]
    for neuron, keep in zip(neurons, (0.8, 0.45), strict=True):
        neuron.tau[:], neuron.r[:], neuron.v_threshold[:] = 1e-4 / (1 - keep), 1 / (1 - keep), 0.7
        neuron.metadata["reset"] = "subtract"
    graph = nir_networks.chain(
        ("input", nir.Input({"input": np.array([5])})),
        ("fc1", nir.Linear(rng.normal(size=(6, 5)))),
        ("one", neurons[0]),
        ("fc2", nir.Linear(rng.normal(size=(4, 6)) * 0.7)),
        ("two", neurons[1]),
        ("output", nir.Output({"output": np.array([4])})),
    )
    request = ExportRequest(chip=mine, steps=12, input_mode="spikes")
    return export_network(source_of_graph(graph, dt=1e-4), "lava", tmp_path / "out", request=request).network


def slow(network, data):
    """Spikes and membranes of one sample, a neuron and a synapse at a time, in Python's integers."""
    sent, found = data.astype(int).tolist(), {}
    for (name, population), projection in zip(network.populations.items(), network.projections.values(), strict=True):
        vth, dv = int(population.vth), int(population.dv)
        assert dv in (512, 1024, 2048)  # a power of two below 4096: a shift
        state, seen, out = [0] * population.size, [], []
        for row in sent:
            fired = []
            for i, before in enumerate(state):
                arriving = sum(int(projection.weight[i, j]) * 2**projection.weight_exp * s for j, s in enumerate(row))
                v = max(-LIMIT, min(LIMIT, before - before // (4096 // dv) + arriving))
                times = max(0, min(MOST, v // vth))
                state[i] = v - times * vth
                fired.append(times)
            out.append(fired)
            seen.append(list(state))
        sent = out
        found[name] = np.array(out), np.array(seen)
    return found


def test_compiler_and_simulator_compute_as_the_chip_does(network):
    data = (np.random.default_rng(1).random((5, 12, 5)) < 0.6).astype(np.float32)
    run = simulate(network, encode_input(network, data))
    most = 0
    for sample in range(5):
        for name, (spikes, membrane) in slow(network, data[sample]).items():
            np.testing.assert_array_equal(run.spikes[name][sample], spikes)
            np.testing.assert_array_equal(run.membrane[name][sample], membrane)
            most = max(most, spikes.max())
    assert most > 1  # several spikes in one step
    (output,) = run.outputs.values()
    np.testing.assert_array_equal(output, run.spikes["two"].sum(axis=1))


def test_who_has_another_arithmetic_refuses_by_name(network):
    for who, refuse in (
        ("Lava", check_network),
        ("the ONNX model of the integers", chip_model),
        ("lava-dl, which runs a .net file,", chain_of),
    ):
        with pytest.raises(UserError, match=f"{who} computes by arithmetic lava, Mine by shifts"):
            refuse(network)
    pytest.importorskip("sanafe")
    with pytest.raises(UserError, match="SANA-FE's Loihi computes by arithmetic lava, Mine by shifts"):
        build_sanafe(network)


def test_training_refuses_it(mine):
    config = TrainConfig(dataset="digits", epochs=2, batch_size=8, lr=1e-3, channels=[2], strides=[1], quantize=mine)
    with pytest.raises(UserError, match="training computes by arithmetic lava, Mine by shifts"):
        chip_target(config, load_data("digits:test"))


def test_a_chip_s_file_must_name_what_is_known(mine, monkeypatch):
    file = chip_files.CHIP_FOLDER / "mine.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('["subtract"]', '["zero"]'), encoding="utf-8")
    with pytest.raises(UserError, match="chip mine: arithmetic shifts has no reset zero"):
        arithmetic_of(mine)
    monkeypatch.delitem(ARITHMETICS, "shifts")
    with pytest.raises(UserError, match="chip mine: unknown arithmetic 'shifts'; choose one of lava"):
        arithmetic_of(mine)


def test_the_shift_is_not_lava_s_decay():
    """Else the comparison above would hold with either arithmetic."""
    assert scalar_chip.trunc_decay(3, 3072) != 3 - 3 // 4
