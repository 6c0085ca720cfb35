"""dalif-energy --sweep as a person runs it: each point is the single run with its settings."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

import dalif_deploy as dd
from dalif_deploy.cli.energy_sweep import split_words
from dalif_deploy.exploration.explore import Exploration, explore
from dalif_deploy.exploration.sweep_source import sweep_source
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint
from dalif_deploy.zoo import zoo_file
from tests import nir_networks

ROOT = Path(__file__).parents[1]
SWEEP = ("--sweep", "weight-bits=3", "steps=1,3", "chip=loihi1,loihi2", "input=bias,graded")


def command(*arguments):
    return [sys.executable, "-m", "dalif_deploy.cli.energy", *map(str, arguments)]


def run(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=200, env=environment, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint with random weights, and labelled images."""
    made = tmp_path_factory.mktemp("sweep")
    torch.manual_seed(4)
    spec = NetworkSpec(input_shape=(1, 6, 6), classes=3, channels=[4, 5], strides=[1, 2], steps=4)
    network = build_network(spec)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.weight.fill_(4.0)  # or nothing would spike
    save_checkpoint(made / "model.pt", network, {"input_step": 1 / 16})
    rng = np.random.default_rng(0)
    images = rng.integers(0, 17, (12, 1, 6, 6)).astype(np.float32) / 16
    np.savez(made / "data.npz", input=images, label=rng.integers(0, 3, 12))
    return made


@pytest.fixture(scope="module")
def swept(folder):
    """The command's exit, the figures it wrote, and its plot."""
    done = run(
        folder / "model.pt", "--data", folder / "data.npz", "--limit", 10, *SWEEP, "--workers", 2,
        "--json", folder / "sweep.json", "--plot", folder / "sweep.svg",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done, json.loads((folder / "sweep.json").read_text()), (folder / "sweep.svg").read_text()


def test_a_network_of_the_zoo_by_its_name(monkeypatch):
    monkeypatch.setattr(
        "dalif_deploy.exploration.explore.run_in_workers", lambda work, tasks, _: enumerate(map(work, tasks))
    )
    by_name, by_file = (
        explore(Exploration(source, "digits:test", {"weight-bits": [8]}, limit=4))
        for source in (Path("zoo:digits"), zoo_file("zoo:digits"))
    )
    assert by_name["source"] == "zoo:digits" and by_name["points"][0]["status"] == "done"
    assert by_name["points"] == by_file["points"]
    with pytest.raises(UserError, match="unknown trained network 'nobody'"):
        explore(Exploration(Path("zoo:nobody"), "digits:test", {"weight-bits": [8]}))


def test_each_point_is_the_single_run(folder, swept, tmp_path):
    points = swept[1]["points"]
    assert len(points) == 8
    compared = 0
    for number, point in enumerate(points):
        asked = point["settings"]
        options = {"chip": asked["chip"], "steps": asked["steps"], "input_mode": asked["input"]}
        out = tmp_path / str(number)
        if asked["chip"] == "loihi1" and asked["input"] == "graded":
            with pytest.raises(UserError) as refusal:
                dd.export(folder / "model.pt", out=out, weight_bits=asked["weight-bits"], **options)
            assert (point["status"], point["why"]) == ("not possible", str(refusal.value))
            assert "on_front" in point and point["on_front"] is None
            continue
        net = dd.export(folder / "model.pt", out=out, weight_bits=asked["weight-bits"], **options)
        data = str(folder / "data.npz")
        report = dd.energy_report(net, data, limit=10).to_dict()
        assert point["accuracy"] == dd.simulate(net, data, limit=10).accuracy
        assert point["counts"] == report["counts"]["total"] and point["counts"]["spikes"]["best"] > 0
        for part in ("energy", "energy_sanafe"):
            assert (point[part] is None) == (report[part] is None)
            if point[part]:
                assert point[part]["total"] == report[part]["total"]
                assert point[part]["status"] == report[part]["status"]
        assert point["latency"] == report["latency"]
        assert (point["cores"], point["chips"]) == (report["mapping"]["cores"], report["mapping"]["chips"])
        compared += 1
    assert compared == 6
    for scope in {point["scope"] for point in points} - {None}:  # settings do something
        assert len({point["energy"]["total"]["mean"] for point in points if point["scope"] == scope}) == 2


def test_the_number_of_workers_changes_nothing(folder, swept):
    part = {"weight-bits": [3], "steps": [1, 3], "chip": ["loihi2"], "input": ["graded"]}
    asked = Exploration(folder / "model.pt", str(folder / "data.npz"), part, limit=10, workers=1)
    found = json.loads(json.dumps(explore(asked)))["points"]
    assert len(found) == 2 and found == [point for point in swept[1]["points"] if point["scope"] == "loihi2"]


def test_fronts_stay_within_what_is_comparable(swept):
    points = [point for point in swept[1]["points"] if point["status"] == "done"]
    assert {point["scope"] for point in points} == {
        "loihi1, first layer on the host",
        "loihi2, first layer on the host",
        "loihi2",
    }
    for scope in {point["scope"] for point in points}:
        assert any(point["on_front"] for point in points if point["scope"] == scope)


def test_the_table_has_every_point_and_says_how_it_came_about(swept):
    out = swept[0].stdout
    known = ("modelled from simulated constants", "assumed", "not compared across tables", "not take graded input")
    assert all(words in out for words in known)
    assert len(re.findall(r"│ ●? +│ +\d", out)) == 6  # a row per point with figures
    assert out.count("not possible") == 2
    assert out.count("●") == sum(bool(point["on_front"]) for point in swept[1]["points"])


def test_the_plot_names_its_axes_and_the_front(swept):
    plot = swept[2]
    assert plot.count("dynamic energy per sample") == 3 and plot.count("latency of a sample alone") == 3
    for words in ("[assumed]", "[modelled from simulated constants]", "accuracy, %", "loihi1, first layer on the host"):
        assert words in plot
    front = sum(bool(point["on_front"]) for point in swept[1]["points"])
    assert len(re.findall(r">T=\d<", plot)) == 2 * front


@pytest.fixture
def in_this_process(monkeypatch):
    """Saves the start of workers where they are not what is tested."""
    monkeypatch.setattr(
        "dalif_deploy.exploration.explore.run_in_workers", lambda work, tasks, workers: enumerate(map(work, tasks))
    )


def test_no_room_is_a_row_with_its_reason(tmp_path, in_this_process):
    """4,600 sources: more input axons than a core of Loihi 1 has; no source gives Loihi 2's."""
    graph = nir_networks.chain(
        ("input", nir.Input({"input": np.array([4600])})),
        ("fc", nir.Linear(np.full((1, 4600), 0.01))),
        ("out", nir_networks.lif((1,))),
        ("output", nir.Output({"output": np.array([1])})),
    )
    nir.write(tmp_path / "wide.nir", graph)
    np.savez(tmp_path / "data.npz", input=np.ones((2, 3, 4600), np.float32))
    asked = Exploration(
        tmp_path / "wide.nir", str(tmp_path / "data.npz"), {"chip": ["loihi1", "loihi2"], "steps": [3]}, workers=1
    )
    first, second = explore(asked)["points"]
    assert first["status"] == "does not fit" and "4,096" in first["why"] and first["on_front"] is None
    assert second["status"] == "done" and second["cores"] == 1 and second["on_front"] is True
    assert second["accuracy"] is None


def test_what_never_works_is_one_line(folder, in_this_process):
    asked = Exploration(folder / "model.pt", str(folder / "nothing.npz"), {"steps": [1, 2]})
    with pytest.raises(UserError, match=r"nothing\.npz: no such file"):
        explore(asked)


def test_a_folder_is_exported_again_with_its_own_settings(folder, tmp_path):
    dd.export(folder / "model.pt", out=tmp_path / "a", chip="loihi1", steps=2, weight_bits=5)
    found = sweep_source(tmp_path / "a")
    assert found.file == tmp_path / "a" / "model.pt"
    assert found.settings == {"chip": "loihi1", "steps": 2, "weight-bits": 5, "scale-group": "layer"}
    dd.export(folder / "model.pt", out=tmp_path / "b", calibrate=str(folder / "data.npz"))
    with pytest.raises(UserError, match="give the checkpoint"):
        sweep_source(tmp_path / "b")
    (tmp_path / "a" / "model.pt").unlink()
    (tmp_path / "a" / "model.nir").unlink()
    with pytest.raises(UserError, match="give the checkpoint"):
        sweep_source(tmp_path / "a")


def test_words_may_stand_anywhere():
    expected = (Path("model.pt"), ["weight-bits=4,6", "steps=1,2"])
    assert split_words(["model.pt", "steps=1,2"], ["weight-bits=4,6"]) == expected
    assert split_words(["steps=1,2", "model.pt"], ["weight-bits=4,6"]) == expected
    assert split_words(["model.pt"], ["weight-bits=4,6", "steps=1,2"]) == expected
    for words, sweep in ((["steps=1"], ["chip=loihi1"]), (["a.pt", "b.pt"], ["chip=loihi1"]), (["a", "b"], None)):
        with pytest.raises(UserError, match="give one"):
            split_words(words, sweep)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sweep", "bits=4"), "unknown key 'bits'"),
        (("--sweep", "steps=1", "--plot", "front.bmp"), ".png, .svg, .pdf"),
        (("--sweep", "steps=1", "--html", "page.html"), "--html"),
        (("--plot", "front.png"), "--plot is for a --sweep"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(folder, arguments, said):
    done = run(folder / "model.pt", "--data", folder / "data.npz", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and said in done.stderr


def test_ctrl_c_ends_the_workers_and_leaves_nothing(folder, tmp_path):
    steps = ",".join(map(str, range(2000, 2040)))
    words = (folder / "model.pt", "--data", folder / "data.npz", "--sweep", f"steps={steps}", "--workers", 2)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    started = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("dalif-sweep-*/steps*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert list(tmp_path.glob("dalif-sweep-*/steps*")), "no point was begun"
        os.killpg(started.pid, signal.SIGINT)  # what a terminal does
        out, err = started.communicate(timeout=30)
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
    assert (started.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert not list(tmp_path.glob("dalif-sweep-*"))
    with pytest.raises(ProcessLookupError):  # the whole group is gone
        for _ in range(50):
            os.killpg(started.pid, 0)
            time.sleep(0.1)
