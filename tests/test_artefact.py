"""An exported folder is read once by a command, and not at all right after an export."""

import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

import dalif_deploy
from dalif_deploy.converters.artefact import load_artefact
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import ExportRequest
from tests.commands_here import run_here
from tests.nir_networks import image_network
from tests.test_commands import checkpoint

NET_FILE = Path(__file__).parent / "data" / "netx" / "network.net"
_opened: list[str] | None = None


def _hear(event, arguments):
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_hear)  # for ever, so it hears only within `opens`


@contextmanager
def opens(monkeypatch):
    """Counts what Python, and h5py past it, opens: file name -> how often. A NIR file is looked over, then read."""
    global _opened
    counted, looked = Counter(), h5py.File

    class CountingFile(looked):
        def __init__(self, name, *arguments, **options):
            if not hasattr(name, "read"):
                counted[f"open {Path(name).name}"] += 1
            super().__init__(name, *arguments, **options)

    _opened = []
    with monkeypatch.context() as patched:
        patched.setattr(h5py, "File", CountingFile)
        try:
            yield counted
        finally:
            counted.update(f"open {Path(name).name}" for name in _opened)
            _opened = None


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artefact")
    export_network(checkpoint(folder / "model.pt", channels=[3, 4], strides=[1, 2]), "lava", folder / "out")
    return folder / "out"


@pytest.mark.parametrize(
    ("command", "graphs"),
    [
        (["simulate", "--engine", "fast"], {"network.nir": 1}),
        (["simulate", "--engine", "nir", "--check"], {"model.nir": 1}),
        (["energy"], {"network.nir": 1}),
    ],
    ids=["simulate", "check", "energy"],
)
def test_a_command_reads_each_file_once(exported, command, graphs, monkeypatch, capfd):
    name, *options = command
    with opens(monkeypatch) as counted:
        done = run_here([f"dalif-{name}", exported, "--data", "digits:test", "--limit", "2", *options], capfd)
    assert done.returncode == 0, done.stderr
    for file in ("network.nir", "model.nir"):
        assert counted[f"open {file}"] == 3 * graphs.get(file, 0)  # held against its digest, looked over, then read
    assert counted["open export.json"] == 1


def test_check_all_reads_each_file_once(exported, monkeypatch, capfd):
    from dalif_deploy.simulation import agreement
    from dalif_deploy.simulation.engines import ENGINES

    monkeypatch.setattr(agreement, "ENGINES", {name: ENGINES[name] for name in ("fast", "nir", "torch", "sanafe")})
    with opens(monkeypatch) as counted:
        run_here(["dalif-simulate", exported, "--data", "digits:test", "--limit", "2", "--check", "all"], capfd)
    assert counted["open network.nir"] == counted["open model.nir"] == 3  # as above
    assert counted["open export.json"] == 1


def test_calibration_reads_the_source_once(tmp_path, monkeypatch, capfd):
    model = checkpoint(tmp_path / "model.pt", channels=[3])
    counts = {}
    for name, options in {"plain": [], "calibrated": ["--calibrate", "digits:train"]}.items():
        with opens(monkeypatch) as counted:
            command = ["dalif-export", model, "--target", "lava", "-o", tmp_path / name, *options]
            assert run_here(command, capfd).returncode == 0
        counts[name] = counted["open model.pt"]
    assert counts["calibrated"] == counts["plain"] > 0


def test_nothing_is_read_back_after_an_export(tmp_path, monkeypatch):
    model = checkpoint(tmp_path / "model.pt", channels=[3])
    images = dalif_deploy.load_data("digits:test").inputs[:4]
    with opens(monkeypatch) as counted:
        network = dalif_deploy.export(model, out=tmp_path / "out", target="onnx")
        dalif_deploy.simulate(network, images)
        dalif_deploy.simulate(network, images, engine="nir")
        dalif_deploy.energy_report(network, images)
    assert counted["read network.nir"] == counted["read model.nir"] == 0


SOURCES = {
    "checkpoint": lambda folder: checkpoint(folder / "model.pt", channels=[3, 4], strides=[1, 2]),
    "graph": lambda folder: image_network(np.random.default_rng(0)),
    "net": lambda folder: NET_FILE,
}


@pytest.mark.parametrize(
    ("source", "target"),
    [("checkpoint", "lava"), ("checkpoint", "netx"), ("graph", "lava"), ("net", "lava"), ("net", "netx")],
)
def test_what_is_in_memory_is_what_the_files_hold(source, target, tmp_path):
    request = ExportRequest(steps=None if source == "checkpoint" else 4)
    if source == "graph":
        request.input_mode, request.chip = "graded", "loihi2"
    written = export_network(SOURCES[source](tmp_path), target, tmp_path / "out", request=request)
    read = load_artefact(tmp_path / "out")
    same(written.network, read.network, "network")
    assert sorted(written.reference.nodes) == sorted(read.reference.nodes)
    for name, node in written.reference.nodes.items():
        for key in ("weight", "bias", "tau", "r", "v_leak", "v_threshold"):
            if hasattr(node, key):
                np.testing.assert_array_equal(getattr(node, key), getattr(read.reference.nodes[name], key))


def same(one, two, where):
    """Equal in all, types and order included."""
    assert type(one) is type(two), (where, type(one), type(two))
    if is_dataclass(one):
        for each in fields(one):
            same(getattr(one, each.name), getattr(two, each.name), f"{where}.{each.name}")
    elif isinstance(one, dict):
        assert list(one) == list(two), where
        for key in one:
            same(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, np.ndarray):
        assert one.dtype == two.dtype, (where, one.dtype, two.dtype)
        np.testing.assert_array_equal(one, two, err_msg=where)
    else:
        assert one == two, where
