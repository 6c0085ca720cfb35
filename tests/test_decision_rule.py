"""The author's own reading of a network decides: in every engine, by every rule, in the source network's units."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import dalif_deploy
from dalif_deploy.converters.capture.source import source_of_module
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.hw_models.chip_network.file import read_chip_network, write_chip_network
from dalif_deploy.hw_models.chip_network.form import ChipOutput
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.simulator import simulate, simulate_chunks
from dalif_deploy.simulation.engines import make_engine
from tests.chip_networks import random_network

snn = pytest.importorskip("snntorch")
STEPS = 9
OVER_TIME = {
    "sum": lambda steps: steps.sum(0),
    "mean": lambda steps: steps.mean(0),
    "max": lambda steps: steps.max(0).values,
    "last": lambda steps: steps[-1],
}
LAST = {
    "spikes": lambda: snn.Leaky(beta=0.8),
    "membrane before a subtraction": lambda: snn.Leaky(beta=0.8, threshold=0.6),
    "membrane before zero": lambda: snn.Leaky(beta=0.8, threshold=0.6, reset_mechanism="zero"),
    "membrane after the reset": lambda: snn.Leaky(beta=0.8, threshold=1.2, reset_delay=False),
    "membrane of a readout": lambda: snn.Leaky(beta=0.8, reset_mechanism="none"),
    "current": nn.Identity,
}
WHAT = {"spikes": "spikes", "current": "current", "membrane after the reset": "membrane",
        "membrane of a readout": "membrane"}  # fmt: skip


class Net(nn.Module):
    def __init__(self, last, over_time):
        super().__init__()
        torch.manual_seed(4)
        self.fc1, self.hidden, self.fc2 = nn.Linear(8, 20), snn.Leaky(beta=0.9, threshold=0.4), nn.Linear(20, 6)
        self.out, self.reads, self.over_time = LAST[last](), last, OVER_TIME[over_time]
        with torch.no_grad():
            self.fc1.weight *= 2.5
            self.fc2.weight -= self.fc2.weight.mean(1, keepdim=True)
            self.fc2.weight *= 2
            self.fc2.bias.zero_()

    def forward(self, x):
        hidden, out, seen = self.hidden.init_leaky(), None, []
        for _ in range(STEPS):
            spikes, hidden = self.hidden(self.fc1(x), hidden)
            current = self.fc2(spikes)
            if self.reads == "current":
                seen.append(current)
                continue
            spikes, out = self.out(current, self.out.init_leaky() if out is None else out)
            seen.append(spikes if self.reads == "spikes" else out)
        return self.over_time(torch.stack(seen))


def samples(count=24):
    x = torch.rand(count, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return torch.where(x > 0.5, x, 0)


def live(model, x):
    with torch.no_grad():
        return model(x.float()).numpy()


def outputs(artefact, engine, x):
    (found,) = make_engine(engine, artefact, x.numpy()).run(slice(0, len(x)), ()).outputs.values()
    return found


@pytest.mark.parametrize("over_time", OVER_TIME)
@pytest.mark.parametrize("last", LAST)
def test_every_engine_decides_as_the_author_does(tmp_path, last, over_time):
    x = samples()
    wanted = live(Net(last, over_time), x)
    labels = wanted.argmax(1)
    assert len(set(labels.tolist())) > 1
    on_chip = last != "membrane before zero"
    artefact = dalif_deploy.export(
        Net(last, over_time), x, out=tmp_path / "out", target="onnx" if on_chip else "nir", input_mode="graded"
    )
    rule = {key: artefact.reference.metadata[f"decision_{key}"] for key in ("what", "over_time")}
    assert rule == {"what": WHAT.get(last, "membrane_before_reset"), "over_time": over_time}

    np.testing.assert_allclose(outputs(artefact, "nir", x), wanted, atol=1e-5)
    result = dalif_deploy.simulate(artefact, (x.numpy(), labels), engine="nir")
    assert result.predicted == labels.tolist() and result.accuracy == 1.0
    if on_chip:
        np.testing.assert_allclose(outputs(artefact, "onnx-float", x), wanted, atol=1e-5)
        fast, onnx = (outputs(artefact, engine, x) for engine in ("fast", "onnx"))
        np.testing.assert_array_equal(fast, onnx)
        # the chip's numbers are the source's, rounded
        assert np.corrcoef(fast.ravel(), wanted.ravel())[0, 1] > 0.9
        assert np.abs(fast).max() == pytest.approx(np.abs(wanted).max(), rel=0.5)


@pytest.mark.parametrize("last", ["membrane before a subtraction", "membrane of a readout", "spikes"])
def test_norse_decides_alike(tmp_path, last):
    pytest.importorskip("norse")
    x = samples()
    artefact = dalif_deploy.export(Net(last, "max"), x, out=tmp_path / "out", target="nir")
    np.testing.assert_allclose(outputs(artefact, "norse", x), outputs(artefact, "nir", x), atol=1e-9)


def test_a_wrong_rule_is_seen(tmp_path):
    """The same network by another rule decides otherwise: the tests above can fail."""
    x = samples()
    source = source_of_module(Net("membrane before a subtraction", "sum"), x)
    labels = live(Net("membrane before a subtraction", "sum"), x).argmax(1)
    for key, planted in (("decision_over_time", "last"), ("decision_what", "spikes")):
        graph = copy.copy(source.graph)
        graph.metadata = {**graph.metadata, key: planted}
        artefact = export_network(replace(source, graph=graph), "nir", tmp_path / planted)
        assert dalif_deploy.simulate(artefact, (x.numpy(), labels), engine="nir").accuracy < 1.0


def test_what_neither_the_chip_nor_the_graph_can_say_is_refused(tmp_path):
    x = samples()
    with pytest.raises(UserError, match=r"^out: the class is read from the membrane before a reset to zero"):
        dalif_deploy.export(
            Net("membrane before zero", "sum"), x, out=tmp_path / "out", target="lava", input_mode="graded"
        )
    source = source_of_module(Net("membrane of a readout", "sum"), x)
    source.graph.metadata["decision_of"] = "nobody"
    with pytest.raises(UserError, match=r"decision rule \(membrane of nobody, sum over time\) does not fit the graph"):
        export_network(source, "lava", tmp_path / "other")


class Tutorial(Net):
    """As snnTorch's tutorials end: every step's spikes, and every step's membranes."""

    def forward(self, x):
        hidden, out = self.hidden.init_leaky(), self.out.init_leaky()
        spikes_seen, membranes_seen = [], []
        for _ in range(STEPS):
            spikes, hidden = self.hidden(self.fc1(x), hidden)
            spikes, out = self.out(self.fc2(spikes), out)
            spikes_seen.append(spikes)
            membranes_seen.append(out)
        return torch.stack(spikes_seen), torch.stack(membranes_seen)


def test_stacked_spikes_are_counted(tmp_path):
    x = samples()
    artefact = dalif_deploy.export(
        Tutorial("spikes", "sum"), x, out=tmp_path / "out", target="lava", input_mode="graded"
    )
    wanted = live(Net("spikes", "sum"), x)
    np.testing.assert_array_equal(outputs(artefact, "nir", x), wanted)
    (output,) = artefact.network.outputs.values()
    assert (output.mode, output.over_time) == ("count", "sum")


READ = [
    (mode, how)
    for mode in ("count", "membrane", "membrane_before_reset")
    for how in (None, "sum", "mean", "max", "last")
]


def reading_network(seed=0):
    """A random network of which everything is read that can be, and what goes in."""
    network, encoded = random_network(np.random.default_rng(seed))
    network.populations["second"] = replace(network.populations["second"], reset="subtract", vth=np.array(40))
    network.outputs = {f"{m}.{h}": ChipOutput(f"{m}.{h}", "second", m, h) for m, h in READ}
    network.outputs["top"] = ChipOutput("top", "readout", "membrane", "max")
    return network, encoded


def check_readings(recording, whole, network):
    """Against plain numpy over all steps' records."""
    spikes, membrane = (kind["second"].astype(np.int64) for kind in (whole.spikes, whole.membrane))
    assert spikes.any() and not spikes.all()
    steps = {"count": spikes, "membrane": membrane, "membrane_before_reset": membrane + spikes * (40 << 6)}
    for mode, how in READ:
        each = steps[mode]
        how = how or ("sum" if mode == "count" else "last")
        wanted = {"sum": each.sum(1), "mean": each.sum(1), "max": each.max(1), "last": each[:, -1]}[how]
        np.testing.assert_array_equal(recording.outputs[f"{mode}.{how if (mode, how) in READ else None}"], wanted)
    for mode in ("count", "membrane"):
        same = "sum" if mode == "count" else "last"
        np.testing.assert_array_equal(recording.outputs[f"{mode}.None"], recording.outputs[f"{mode}.{same}"])
    np.testing.assert_array_equal(recording.outputs["top"], whole.membrane["readout"].max(1))


@pytest.mark.parametrize("seed", range(4))
def test_the_simulator_reads_without_keeping(monkeypatch, seed):
    network, encoded = reading_network(seed)
    whole = simulate(network, encoded)
    check_readings(whole, whole, network)
    # a block a step, nothing recorded
    monkeypatch.setattr("dalif_deploy.hw_models.simulator.batched.BLOCK_ELEMENTS", 1)
    ((_, alone),) = simulate_chunks(network, encoded, record=(), batch_size=3)
    assert not alone.membrane
    check_readings(alone, whole, network)


def test_lava_reads_the_same():
    pytest.importorskip("lava")
    from dalif_deploy.converters.lava.lava_session import run_lava

    network, encoded = reading_network(1)
    found = run_lava(network, encoded, record=(), threads=True, total_limit_seconds=120)
    check_readings(found, simulate(network, encoded), network)


def test_a_rule_stands_in_the_file_and_old_files_say_none(tmp_path):
    network, _ = reading_network()
    write_chip_network(tmp_path / "n.nir", network)
    assert read_chip_network(tmp_path / "n.nir").outputs == network.outputs
    import h5py

    with h5py.File(tmp_path / "n.nir") as file:
        found = file["node/nodes/count.None/metadata/chip"][()]
    assert json.loads(found) == {"mode": "count", "name": "count.None", "population": "second"}
    network.populations["second"] = replace(network.populations["second"], reset="zero")
    write_chip_network(tmp_path / "zero.nir", network)
    with pytest.raises(UserError, match="reads second before its reset, which takes a subtraction"):
        read_chip_network(tmp_path / "zero.nir")


def test_reading_membranes_at_each_step_is_told(tmp_path):
    x = samples(4)
    reports = {}
    for over_time in ("sum", "last"):
        artefact = dalif_deploy.export(
            Net("membrane of a readout", over_time), x, out=tmp_path / over_time, target="lava", input_mode="graded"
        )
        reports[over_time] = dalif_deploy.energy_report(artefact, x.numpy()).energy.not_included
    assert f"reading {6 * (STEPS - 1)} membranes a sample: no source" in reports["sum"]
    assert not any("membranes" in each for each in reports["last"])


def test_lava_decides_as_the_fast_engine_does(tmp_path):
    pytest.importorskip("lava")
    x = samples(3)
    model = Net("membrane before a subtraction", "max")
    artefact = dalif_deploy.export(model, x, out=tmp_path / "out", input_mode="graded")
    lava, fast = (outputs(artefact, engine, x) for engine in ("lava", "fast"))
    np.testing.assert_array_equal(lava, fast)
    assert len(np.unique(fast)) > 6
