"""dalif-energy as a person runs it."""

import json
import os
import subprocess
import sys

import nir
import numpy as np
import pytest

from tests.commands_here import run_here

STEPS, SAMPLES = 5, 6


def run(*arguments):
    command = [sys.executable, "-m", "dalif_deploy.cli.energy", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment())


def environment():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small spiking network exported for loihi1, and data for it."""
    from dalif_deploy.converters.export_network import export_network
    from dalif_deploy.converters.export_request import ExportRequest

    folder = tmp_path_factory.mktemp("energy")
    rng = np.random.default_rng(3)

    def lif(n):
        ones = np.ones(n)
        return nir.LIF(tau=ones * 2e-4, r=ones * 2, v_leak=ones * 0, v_threshold=ones, v_reset=ones * 0)

    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input({"input": np.array([8])}),
            "first": nir.Affine(weight=rng.normal(0.4, 0.5, (6, 8)), bias=rng.normal(0, 0.1, 6)),
            "lif1": lif(6),
            "second": nir.Linear(weight=rng.normal(0.4, 0.5, (3, 6))),
            "lif2": lif(3),
            "output": nir.Output({"output": np.array([3])}),
        },
        edges=[
            ("input", "first"),
            ("first", "lif1"),
            ("lif1", "second"),
            ("second", "lif2"),
            ("lif2", "output"),
        ],
        metadata={"dt": 1e-4},
    )
    nir.write(folder / "net.nir", graph)
    request = ExportRequest(chip="loihi1", steps=STEPS, input_mode="spikes")
    export_network(folder / "net.nir", "lava", folder / "artefact", request=request, dt=1e-4)
    np.savez(folder / "data.npz", input=(rng.random((SAMPLES, STEPS, 8)) < 0.5).astype(np.float32))
    return folder


def test_json_on_standard_output_and_tables_beside_it(exported):
    done = run(exported / "artefact", "--data", exported / "data.npz", "--json", "-", "--limit", 4)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["chip"], report["steps"], report["samples"]) == ("loihi1", STEPS, 4)
    assert "Davies" in done.stderr
    # dense without zero weights: each input spike reaches all 6 neurons
    spikes = np.load(exported / "data.npz")["input"][:4].sum(axis=(1, 2))
    first = report["counts"]["projections"][0]
    weight_zero_free = first["messages"]["mean"] == spikes.mean()
    assert weight_zero_free
    assert first["synaptic_operations"]["mean"] <= spikes.mean() * 6
    assert first["synaptic_operations"]["mean"] > spikes.mean() * 5


def test_batch_size_changes_nothing(exported, tmp_path):
    for size in (1, 5):
        done = run(
            exported / "artefact", "--data", exported / "data.npz", "--json", tmp_path / f"{size}", "--batch-size", size
        )
        assert done.returncode == 0, done.stderr
        assert "synaptic operations" in done.stdout
    one, five = (json.loads((tmp_path / f"{size}").read_text()) for size in (1, 5))
    assert one["counts"] == five["counts"]
    assert one["energy"] == five["energy"]


def test_an_existing_file_is_kept(exported, tmp_path):
    target = tmp_path / "out.json"
    target.write_text("mine")
    arguments = (exported / "artefact", "--data", exported / "data.npz", "--json", target)
    done = run(*arguments)
    assert done.returncode == 2
    assert "already exists" in done.stderr
    assert done.stdout == ""
    assert "was not written by dalif-deploy" in run(*arguments, "--force").stderr
    assert target.read_text() == "mine"
    target.unlink()
    assert run(*arguments).returncode == 0
    assert run(*arguments, "--force").returncode == 0
    assert json.loads(target.read_text())["report"] == "dalif-energy"


@pytest.mark.parametrize(
    ("folder", "data", "words"),
    [
        ("missing", "data.npz", "missing"),
        ("artefact", "nothing.npz", "nothing.npz"),
        ("artefact", "wrong.npz", "shape"),
        ("artefact", "empty.npz", "empty.npz"),
        (".", "data.npz", "not an exported network"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(exported, folder, data, words, monkeypatch, capfd):
    monkeypatch.chdir(exported)
    np.savez(exported / "wrong.npz", input=np.zeros((2, 9), np.float32))
    np.savez(exported / "empty.npz", input=np.zeros((0, STEPS, 8), np.float32))
    done = run_here(["dalif-energy", folder, "--data", data], capfd)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_help_has_an_example_and_loads_nothing_large():
    done = run("--help")
    assert done.returncode == 0
    assert "Example: dalif-energy" in done.stdout
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, dalif_deploy.cli.energy; print('torch' in sys.modules, 'pint' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert loaded.stdout.split() == ["False", "False"]
