"""The graphs published with the NIR paper: what an export says must lead a reader to the author's time step.

What the authors mean: sinabs's network steps of 1 (its `sinabs.py`); all others 1e-4 s (the scripts beside them).
"""

import json
import re
import shutil
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest

from dalif_deploy.converters.advice.writer import likely_writer
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from dalif_deploy.converters.nir_edges import require_edges_between_nodes
from dalif_deploy.converters.nir_file import read_nir
from dalif_deploy.converters.sources import ReadRequest, load_source
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph import flatten_graph
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.simulator import simulate
from tests.docs_pages import run

PAPER = Path(__file__).parent / "data" / "nir_paper"
AUTHORS = {"cnn_sinabs": 1.0, "braille_noDelay_noBias_subtract": 1e-4, "braille_noDelay_bias_zero": 1e-4, "lif_rockpool": 1e-4}  # noqa: E501 # fmt: skip


def exported(tmp_path, name, *options, capfd):
    return run(
        ["dalif-export", str(PAPER / f"{name}.nir"), "--target", "lava", "--steps", "30", "-o", str(tmp_path / "out"),
         *options], capfd,
    )  # fmt: skip


@pytest.mark.parametrize("name", AUTHORS)
def test_the_author_s_step_is_the_one_that_the_gains_say(name, tmp_path):
    made = export_network(PAPER / f"{name}.nir", "lava", tmp_path / "out", request=ExportRequest(steps=30)).export
    (best,) = [step for step in made["time_steps"] if step["states"] and step["fits"]]
    assert best["dt"] == AUTHORS[name]
    meant = [line for line in made["warnings"] if "--dt" in line]
    # a reader is sent there, or already is there
    assert all(f"--dt {AUTHORS[name]:g} " in line for line in meant)
    assert bool(meant) == (made["dt"] != AUTHORS[name])


def test_a_silent_network_is_not_called_ok(tmp_path, capfd):
    """Every layer silent, weights of 5.6 dB: exported without a word once."""
    code, printed = exported(tmp_path, "cnn_sinabs", "--dt", "1e-4", capfd=capfd)
    assert code == 0
    assert "WARNING: no input can make layers 1, 3, 6, 10, 12 fire within 30 steps" in printed
    assert "under 20 dB" in printed and "with --dt 1 (sinabs" in printed and "NEVER" in printed
    stored = json.loads((tmp_path / "out" / "export.json").read_text())
    assert len(stored["warnings"]) == 2 and all("--dt 1 " in line for line in stored["warnings"])
    code, printed = exported(tmp_path, "cnn_sinabs", "--dt", "1", "--force", capfd=capfd)
    assert code == 0 and "WARNING" not in printed and "NEVER" not in printed


def test_several_conventions_that_fit_are_all_told(tmp_path, capfd):
    """Norse writes no step and no gain: 1e-4 and 1e-3 both make a network that can fire."""
    _, printed = exported(tmp_path, "lif_norse", capfd=capfd)
    assert "taken  --dt 0.0001" in printed and "--dt 0.001   (Norse): fits" in printed and "WARNING" not in printed
    # its author showed it data of 0.1 ms a step, which no file tells
    assert "dt is how long a step of your data is, 100 µs or 1.00 ms" in " ".join(printed.split())
    _, printed = exported(tmp_path, "cnn_sinabs", "--dt", "1", "--force", capfd=capfd)
    assert "how long a step" not in printed


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("lif_rockpool", "Rockpool"),
        ("braille_noDelay_bias_zero", "snnTorch"),
        ("lif_norse", None),
        ("cnn_sinabs", None),
    ],
)
def test_names_that_only_one_writer_gives_say_who_it_was(name, writer):
    found = likely_writer(flatten_graph(read_nir(PAPER / f"{name}.nir")))
    assert found is None if writer is None else found.startswith(writer)


def test_layers_that_need_a_longer_sample_say_how_long(tmp_path, capfd):
    """Its first neuron leaks to above its threshold, in 10 ms; its second has 20 for a threshold and weights of 1."""
    _, printed = exported(tmp_path, "two_lif_neurons", capfd=capfd)
    (steps,) = re.findall(r"--steps (\d+) would let lif1 fire", printed)
    assert "no longer sample that was tried makes lif2 fire" in printed
    made = export_network(
        PAPER / "two_lif_neurons.nir", "lava", tmp_path / "longer", request=ExportRequest(steps=int(steps))
    )
    assert [layer["can_fire"] for layer in made.export["layers"]] == [1, 0]
    spikes = simulate(made.network, encode_input(made.network, np.ones((1, int(steps), 1)))).spikes
    assert spikes["lif1"].any() and not spikes["lif2"].any()


@pytest.mark.parametrize("name", ["braille_noDelay_bias_zero", "braille_noDelay_noBias_subtract"])
def test_a_file_whose_edges_name_no_node_says_how_to_repair_it(name, tmp_path, capfd):
    """As published: the recurrent layer's neuron is called lif1, and its edges say lif."""
    broken = tmp_path / "broken.nir"
    shutil.copyfile(PAPER / f"{name}_subgraph.nir", broken)
    code, printed = run(
        ["dalif-export", str(broken), "--target", "lava", "--steps", "30", "-o", str(tmp_path / "o")], capfd
    )
    assert code == 2
    assert "an edge of subgraph lif1, input -> lif, names a node that is not there: lif; lif1, a CubaLIF" in printed
    (code,) = re.findall(r'python -c "(.*)"', printed)
    exec(code, {})
    made = export_network(broken, "lava", tmp_path / "out", request=ExportRequest(steps=30)).export
    (said,) = [step for step in made["time_steps"] if step["states"] and step["fits"]]
    assert said["dt"] == made["dt"] == 1e-4 and not made["warnings"]


def test_an_edge_to_nowhere_in_an_outer_graph_names_what_is_there(tmp_path):
    entry = {
        "nodes": {"input": {"type": "Input"}, "a": {"type": "LIF"}, "b": {"type": "LIF"}},
        "edges": [("input", "c")],
    }
    with pytest.raises(UserError, match=r"an edge of the graph, input -> c.*not there: c; write it again.*input, a, b"):
        require_edges_between_nodes(entry, "x.nir")
    require_edges_between_nodes({**entry, "edges": [("input", "a"), (b"a", b"b")]}, "x.nir")


def test_a_step_beyond_the_time_constants_names_those_that_fit(tmp_path, capfd):
    code, printed = exported(tmp_path, "braille_noDelay_noBias_subtract", "--dt", "1", capfd=capfd)
    assert code == 2 and "diverge" in printed and "--dt 0.0001 (snnTorch" in printed


def test_the_reset_that_no_file_states_is_told_and_can_be_said(tmp_path, capfd):
    name = "braille_noDelay_noBias_subtract"
    _, printed = exported(tmp_path, name, capfd=capfd)
    said = " ".join(printed.split())  # lines wrap
    assert "reset to zero, assumed" in said and "--reset zero or --reset subtract" in said
    _, printed = exported(tmp_path, name, "--chip", "loihi1", "--force", capfd=capfd)
    assert "loihi1 can't subtract" in printed and "WARNING" in printed
    code, printed = exported(tmp_path, name, "--chip", "loihi1", "--reset", "subtract", "--force", capfd=capfd)
    assert code == 2 and "reset by subtraction" in printed
    code, printed = exported(tmp_path, name, "--reset", "subtract", "--force", capfd=capfd)
    assert code == 0 and "reset to zero, assumed" not in printed
    stored = json.loads((tmp_path / "out" / "export.json").read_text())
    assert stored["reset"] == ["subtract"] and stored["reset_from"] == "given"
    # the float graph beside it says it too, so that what is compared is the same network
    again = load_source(tmp_path / "out" / "model.nir")
    assert again.reset_from == "graph"
    with pytest.raises(UserError, match="says that it resets by subtraction"):
        load_source(tmp_path / "out" / "model.nir", ReadRequest(reset="zero"))
    with pytest.raises(UserError, match="choose --reset zero or subtract"):
        load_source(PAPER / f"{name}.nir", ReadRequest(reset="soft"))


def test_a_convolution_without_an_input_shape_is_read(tmp_path):
    """As older files of the paper, with the batch in the Input, in Flatten and in the neurons' parameters."""
    weight = np.random.default_rng(0).normal(size=(4, 2, 3, 3))
    graph = nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([1, 2, 6, 6])}),
            "conv": nir.Conv2d((6, 6), weight, 1, 0, 1, 1, np.zeros(4)),
            "if": nir.IF(np.ones((1, 4, 4, 4)), np.ones((1, 4, 4, 4))),
            "flat": nir.Flatten({"input": np.array([1, 4, 4, 4])}, 1, -1),
            "dense": nir.Linear(np.ones((3, 64))),
            "last": nir.IF(np.ones((1, 3)), np.ones((1, 3))),
            "output": nir.Output({"output": np.array([1, 3])}),
        },
        [("input", "conv"), ("conv", "if"), ("if", "flat"), ("flat", "dense"), ("dense", "last"), ("last", "output")],
        type_check=False,
    )
    path = tmp_path / "old.nir"
    nir.write(path, graph)
    with h5py.File(path, "a") as file:
        del file["node/nodes/conv/input_shape"]
    flat = flatten_graph(read_nir(path))
    assert flat.shapes["input"] == (2, 6, 6) and flat.shapes["if"] == (4, 4, 4) and flat.shapes["last"] == (3,)
    made = export_network(path, "lava", tmp_path / "out", request=ExportRequest(steps=4), dt=1.0)
    assert made.network.populations["if"].shape == (4, 4, 4)
    assert flatten_graph(made.reference).shapes == flat.shapes


@pytest.mark.parametrize("target", ["nir", "norse"])
def test_targets_that_compile_nothing_warn_of_the_time_step_too(target, tmp_path, capfd):
    if target == "norse":
        pytest.importorskip("norse")
    command = ["dalif-export", str(PAPER / "two_lif_neurons.nir"), "--target", target, "--steps", "30", "-o"]
    code, printed = run([*command, str(tmp_path / "out")], capfd)
    assert code == 0, printed
    assert "WARNING: no input can make layers lif1, lif2 fire within 30 steps" in printed
    assert "taken  --dt 0.0001" in printed and "reset to zero, assumed" in printed
    assert json.loads((tmp_path / "out" / "export.json").read_text())["warnings"]


def test_what_stops_an_export_can_be_looked_into(tmp_path, capfd):
    """The first remedy of an error about a network in a file."""
    path = PAPER / "braille_noDelay_noBias_subtract.nir"
    code, printed = exported(tmp_path, path.stem, "--chip", "loihi1", "--reset", "subtract", capfd=capfd)
    assert code == 2 and f"; dalif-inspect {path} shows every layer; " in printed
    code, printed = run(["dalif-inspect", str(path)], capfd)
    assert code == 0 and "lif1.lif" in printed
    export_network(path, "lava", tmp_path / "folder", request=ExportRequest(steps=4))
    code, printed = run(
        ["dalif-export", str(tmp_path / "folder"), "--target", "lava", "-o", str(tmp_path / "x")], capfd
    )
    assert code == 2 and f"is a folder; dalif-inspect {tmp_path / 'folder'} says what it is" in printed
    assert run(["dalif-inspect", str(tmp_path / "folder")], capfd)[0] == 0
