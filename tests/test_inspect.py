"""dalif-inspect: the facts it states, counted otherwise here, and what it says would stop an export."""

import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import nir
import numpy as np
import pytest
import torch

import dalif_deploy as dd
from dalif_deploy.__main__ import COMMANDS
from dalif_deploy.converters.nir_file import write_nir
from dalif_deploy.hw_models.chips.names import chip_names
from dalif_deploy.inspection import inspect_thing
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint
from tests.commands_here import run_here

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect")
    torch.manual_seed(0)
    network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[3, 4], strides=[2, 1], steps=4))
    save_checkpoint(folder / "model.pt", network, {"dataset": "digits", "input_step": 1 / 16, "input_highest": 1.0})
    return folder / "model.pt"


@pytest.fixture
def run_inside(capfd):
    return lambda command, *arguments: run_here([command, *arguments], capfd)


def recurrent(reset="zero", weight=1.0):
    neurons = nir.LIF(*(np.full(5, v) for v in (2e-3, 1.0, 0.0, 1.0)), v_reset=np.zeros(5))
    neurons.metadata = {"reset": reset}
    nodes = {
        "in": nir.Input({"input": np.array([3])}),
        "w": nir.Affine(np.full((5, 3), weight), np.zeros(5)),
        "lif": neurons,
        "back": nir.Linear(np.eye(5)),
        "out": nir.Output({"output": np.array([5])}),
    }
    edges = [("in", "w"), ("w", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "out")]
    return nir.NIRGraph(nodes, edges, type_check=False)


def test_facts_of_a_checkpoint(model):
    facts = inspect_thing(model)
    assert facts["what"] == "a checkpoint of dalif-train" and facts["fault"] is None
    assert (facts["steps"], facts["steps_from"], facts["input_range"]) == (4, "the network", [0.0, 1.0])
    network = dd.load_checkpoint(model).network
    spiking = [n for n in facts["nodes"] if n["neuron"] and n["neuron"]["threshold"]]
    assert [n["shape"] for n in spiking] == [[3, 4, 4], [4, 4, 4]]
    for node, layer in zip(spiking, network.layers.values(), strict=False):
        neuron = layer.neuron
        assert node["neuron"]["beta"] == pytest.approx(
            [neuron.beta.detach().min().item(), neuron.beta.detach().max().item()], abs=1e-6
        )
        assert node["neuron"]["reset"] == "zero"
    assert facts["neurons"] == sum(int(np.prod(n["shape"])) for n in facts["nodes"] if n["neuron"])
    assert facts["weights"] == sum(p.numel() for p in network.parameters() if p.ndim > 1)
    assert set(facts["chips"]) == set(chip_names())
    for chip, found in facts["chips"].items():
        assert found["stops"] is None and found["size"]["chips"] == 1 and found["size"]["cores"] >= 3, chip


def test_synapses_of_a_convolution_are_those_of_its_places(tmp_path):
    weight = np.zeros((2, 1, 3, 3))
    weight[:, :, 1, 1] = 1.0  # one tap of nine is used
    shape = (2, 4, 4)
    nodes = {
        "in": nir.Input({"input": np.array([1, 4, 4])}),
        "conv": nir.Conv2d((4, 4), weight, 1, 1, 1, 1, np.zeros(2)),
        "lif": nir.LIF(*(np.full(shape, v) for v in (2e-3, 1.0, 0.0, 1.0)), v_reset=np.zeros(shape)),
        "out": nir.Output({"output": np.array(shape)}),
    }
    graph = nir.NIRGraph(nodes, [("in", "conv"), ("conv", "lif"), ("lif", "out")], type_check=False)
    write_nir(tmp_path / "net.nir", graph)
    facts = inspect_thing(tmp_path / "net.nir")
    assert (facts["neurons"], facts["weights"], facts["synapses"]) == (32, 18, 32)
    assert facts["steps_from"].startswith("assumed") and facts["dt_from"] == "assumed"


def test_what_would_stop_an_export_is_what_stops_it(tmp_path, run_inside):
    write_nir(tmp_path / "net.nir", recurrent(reset="subtract"))
    facts = inspect_thing(tmp_path / "net.nir", dt=1e-3, steps=5)
    assert ["back", "lif", True] in facts["edges"] or ["lif", "back", True] in facts["edges"]
    for chip, found in facts["chips"].items():
        done = run_inside(
            "export", tmp_path / "net.nir", "--target", "lava", "--chip", chip, "-o", tmp_path / chip,
            "--steps", 5, "--dt", 1e-3,
        )  # fmt: skip
        assert (found["stops"] is None) == (done.returncode == 0), done.stderr
        if found["stops"]:
            assert done.stderr == f"error: {found['stops']}\n"
    assert {found["stops"] is None for found in facts["chips"].values()} == {True, False}
    printed = run_inside("inspect", tmp_path / "net.nir", "--dt", 1e-3, "--steps", 5).stdout
    assert "loihi1: would stop at: lif: reset by subtraction" in printed and "loihi2: exports" in printed
    assert "reset subtract" in printed and len(printed.splitlines()) <= 30


def test_an_exported_folder_and_what_was_changed_in_it(model, run_inside):
    folder = model.parent / "exported"
    dd.export(model, out=folder, chip="loihi1")
    facts = inspect_thing(folder)
    assert facts["export"]["chip"] == "loihi1" and facts["export"]["changed_since"] == []
    assert facts["export"]["compiled"]["size"] == facts["chips"]["loihi1"]["size"]
    (folder / "network.nir").write_bytes(b"mine")
    done = run_inside("inspect", folder)
    assert done.returncode == 0 and "changed since it was exported: network.nir" in done.stdout
    assert "its proofs hold for 4 steps, input 0 to 1" in done.stdout


def test_the_page_draws_every_node_and_loads_nothing(tmp_path, run_inside):
    graph = recurrent()
    graph.nodes = {("<script>x" if name == "w" else name): node for name, node in graph.nodes.items()}
    graph.edges = [(a.replace("w", "<script>x"), b.replace("w", "<script>x")) for a, b in graph.edges]
    write_nir(tmp_path / "net.nir", graph)
    done = run_inside("inspect", tmp_path / "net.nir", "--html", tmp_path / "g.html", "--json", tmp_path / "f.json")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "g.html").read_text()
    facts = json.loads((tmp_path / "f.json").read_text())
    assert "<script" not in page and not re.search(r"""(src|href)=["'](?!data:)""", page) and "url(http" not in page
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", page, re.S).group())
    assert sorted(g.find("title").text for g in svg.iter("g")) == sorted(n["name"] for n in facts["nodes"])
    boxes = [(float(r.get("x")), float(r.get("y"))) for r in svg.iter("rect")]
    assert len(set(boxes)) == len(facts["nodes"]), "boxes on top of each other"
    arrows = [p for p in svg if p.tag == "path"]
    assert len(arrows) == len(facts["edges"]) and sum(p.get("class") == "loop" for p in arrows) == 1


@pytest.mark.parametrize("content", [b"", b"not a network", b"PK\x03\x04"])
def test_what_is_no_network_is_said_in_one_line(tmp_path, run_inside, content):
    (tmp_path / "x.pt").write_bytes(content)
    done = run_inside("inspect", tmp_path / "x.pt")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "x.pt" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_version_and_exit_codes(run_inside, command):
    assert run_inside(command, "--version").stdout == f"dalif-deploy {dd.__version__}\n"
    assert "Exit codes: 0 done; 1 a check failed; 2 bad usage" in " ".join(run_inside(command, "--help").stdout.split())


def test_the_package_runs_as_a_module(model):
    def run(*words):
        done = subprocess.run([sys.executable, "-m", "dalif_deploy", *map(str, words)], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    assert run("--version") == (0, f"dalif-deploy {dd.__version__}\n", "")
    code, out, _ = run("inspect", model)
    assert code == 0 and "a checkpoint of dalif-train" in " ".join(out.split())
    code, _, error = run("prune")
    assert code == 2 and "unknown command 'prune'" in error and all(name in error for name in COMMANDS)


def test_a_training_s_folder_is_told_from_an_export_s(model, tmp_path, run_inside):
    (tmp_path / "model.pt").write_bytes(model.read_bytes())
    done = run_inside("inspect", tmp_path)
    assert done.returncode == 2 and f"it holds a checkpoint, {tmp_path / 'model.pt'}" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("simulate", "x", "--data", "y", "--limit", "0"), "Invalid value for '--limit'"),
        (("energy", "--frobnicate"), "No such option: --frobnicate"),
        (("export", "model.pt"), "Missing option"),
        (("train", "--out"), "Option '--out' requires an argument"),
    ],
)
def test_wrong_usage_is_one_line(run_inside, words, says):
    done = run_inside(*words)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {says}") and done.stderr.endswith(f"; see dalif-{words[0]} --help\n")
