"""--force replaces what our commands wrote and nothing of a person's: every command, every option that writes."""

import json
import re
import shutil
from pathlib import Path
from typing import get_args

import pytest
import torch

from dalif_deploy.api import energy_report
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint
from tests.commands_here import run_here

pytestmark = pytest.mark.timeout(300)
TINY = ("--dataset", "digits", "--epochs", 1, "--channels", "2", "--steps", 1)
DATA = ("--data", "digits:test", "--limit", 2)
SWEEP = (*DATA, "--sweep", "steps=1", "--workers", 1)

# command, what it needs beside the option, the option, the name that it writes
WRITES = [
    ("export", ("MODEL", "--target", "nir"), "--out", "out"),
    ("export", ("MODEL", "--target", "nir", "-o", "ELSEWHERE"), "--json", "f.json"),
    ("train", TINY, "--out", "out"),
    ("train", (*TINY, "--out", "ELSEWHERE"), "--json", "f.json"),
    ("simulate", ("EXPORTED", *DATA), "--json", "f.json"),
    ("simulate", ("EXPORTED", *DATA), "--record", "f.npz"),
    ("simulate", ("EXPORTED", *DATA), "--record", "f.h5"),
    ("energy", ("EXPORTED", *DATA), "--json", "f.json"),
    ("energy", ("EXPORTED", *DATA), "--html", "f.html"),
    ("inspect", ("MODEL",), "--json", "f.json"),
    ("inspect", ("MODEL",), "--html", "f.html"),
    ("energy", ("MODEL", *SWEEP), "--json", "f.json"),
    ("energy", ("MODEL", *SWEEP), "--plot", "f.png"),
    ("energy", ("MODEL", *SWEEP), "--plot", "f.svg"),
    ("energy", ("MODEL", *SWEEP), "--plot", "f.pdf"),
    ("energy", ("--compare", "REPORT", "REPORT"), "--json", "f.json"),
    ("energy", ("--compare", "REPORT", "REPORT"), "--html", "f.html"),
]
# command, what it needs, an option that reads a file, what it says of a file that is none
READS = [
    ("energy", ("EXPORTED", *DATA), "--check", "holds no check of dalif-simulate"),
    ("energy", ("EXPORTED", *DATA), "--measured", "is no measurement of dalif-energy --measure-only"),
    ("energy", ("EXPORTED", *DATA), "--baseline", "not a checkpoint; write one with dalif-train"),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A checkpoint, and the folder of its export."""
    folder = tmp_path_factory.mktemp("ownership")
    torch.manual_seed(0)
    network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[2], strides=[2], steps=1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_().mul_(4)  # its neurons fire, so that no figure is doubted
    save_checkpoint(folder / "model.pt", network, {"dataset": "digits", "input_step": 1 / 16})
    return folder


@pytest.fixture(scope="module")
def exported(places):
    artefact = export_network(places / "model.pt", "lava", places / "exported")
    report = energy_report(artefact, "digits:test", limit=2)
    (places / "report.json").write_text(json.dumps(report.to_dict()))
    return {"MODEL": places / "model.pt", "EXPORTED": artefact.folder, "REPORT": places / "report.json"}


@pytest.fixture(autouse=True)
def sweeps_here(monkeypatch):
    """A sweep's points in this process; what they write is the same, and a process each costs seconds."""

    def here(work, tasks, workers):
        return ((number, work(task)) for number, task in enumerate(tasks))

    monkeypatch.setattr("dalif_deploy.exploration.explore.run_in_workers", here)
    threads = torch.get_num_threads()  # a point sets its own
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run_inside(capfd):
    return lambda command, *arguments: run_here([command, *arguments], capfd)


def contents(path):
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path.parent)): p.read_bytes() for p in files}


@pytest.mark.parametrize(("command", "needs", "option", "name"), WRITES, ids=lambda part: part if isinstance(part, str) else "")  # noqa: E501 # fmt: skip
def test_force_replaces_ours_and_keeps_theirs(exported, tmp_path, run_inside, command, needs, option, name):
    if option == "--plot":
        pytest.importorskip("matplotlib")
    target, is_folder = tmp_path / name, option == "--out"

    def run(number, *more):
        here = {**exported, "ELSEWHERE": tmp_path / f"elsewhere{number}"}
        return run_inside(command, *(here.get(w, w) if isinstance(w, str) else w for w in needs), option, target, *more)

    mine = target / "chapter1.txt" if is_folder else target
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("a year's work")
    for number, more in enumerate([(), ("--force",)]):
        done = run(number, *more)
        assert done.returncode == 2 and done.stdout == "", done.stderr
        assert done.stderr.startswith(f"error: {target}: ") and done.stderr.count("\n") == 1
        assert contents(target) == {str(mine.relative_to(tmp_path)): b"a year's work"}
    assert ("chapter1.txt" if is_folder else "was not written by dalif-deploy") in done.stderr

    mine.unlink()
    assert run(2, "--force").returncode == 0
    written = contents(target)
    done = run(3)
    assert (done.returncode, contents(target)) == (2, written) and "already exists" in done.stderr
    done = run(4, "--force")
    assert done.returncode == 0, done.stderr
    assert contents(target).keys() == written.keys()
    if is_folder:
        (target / "notes.txt").write_text("mine")
        done = run(5, "--force")
        assert done.returncode == 2 and re.search(r"holds notes\.txt.*move it away", done.stderr)
        assert contents(target).keys() == written.keys() | {"out/notes.txt"}


@pytest.mark.parametrize(("command", "needs", "option", "says"), READS, ids=lambda part: part if isinstance(part, str) else "")  # noqa: E501 # fmt: skip
def test_a_file_that_is_read_stays_as_it_is(exported, tmp_path, run_inside, command, needs, option, says):
    """A person's file, given where one of ours belongs; --force, which is about what is written, changes nothing."""
    mine, out = tmp_path / "mine.json", tmp_path / "out.json"
    mine.write_text("a year's work")
    arguments = [exported.get(word, word) if isinstance(word, str) else word for word in needs]
    for more in ((), ("--force",)):
        done = run_inside(command, *arguments, option, mine, "--json", out, *more)
        assert done.returncode == 2 and done.stderr.startswith(f"error: {mine}: ") and says in done.stderr
        assert done.stderr.count("\n") == 1 and done.stdout == ""
        assert mine.read_text() == "a year's work" and not out.exists()


def test_the_tables_have_every_option_that_names_a_file():
    """By the commands' own signatures: what names a file or a folder, to be written or to be read."""
    import inspect
    from importlib import import_module

    found = set()
    for path in (Path(__file__).parents[1] / "dalif_deploy" / "cli").glob("*.py"):
        function = getattr(import_module(f"dalif_deploy.cli.{path.stem}"), path.stem, None)
        if function is None:
            continue
        parameters = inspect.signature(function, eval_str=True).parameters
        reads = {"model", "folder", "source", "data_root", "config_file", "thing"}
        for name, parameter in parameters.items():
            annotated = get_args(parameter.annotation)[:1]
            is_path = Path in (*annotated, *(kind for each in annotated for kind in get_args(each)))
            if name not in reads and (is_path or name == "json_file"):
                found.add((path.stem, f"--{name.removesuffix('_file')}"))
    assert found == {(command, option) for command, _, option, _ in [*WRITES, *READS]}


def test_a_training_keeps_what_else_lies_in_its_working_folder(tmp_path, run_inside):
    working = tmp_path / "x.training"
    working.mkdir()
    (working / "notes.txt").write_text("mine")
    assert run_inside("train", *TINY, "--out", tmp_path / "x").returncode == 0
    assert contents(working) == {"x.training/notes.txt": b"mine"}
    shutil.rmtree(working)


def test_resume_of_nothing_is_an_error(tmp_path, run_inside):
    done = run_inside("train", "--out", tmp_path / "x", "--resume")
    assert done.returncode == 2 and "no training to resume" in done.stderr and "leave out --resume" in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_export_does_not_replace_a_training_nor_the_other_way(places, exported, tmp_path, run_inside):
    assert run_inside("train", *TINY, "--out", tmp_path / "run").returncode == 0
    before = contents(tmp_path / "run")
    done = run_inside("export", tmp_path / "run" / "model.pt", "--target", "nir", "-o", tmp_path / "run", "--force")
    assert done.returncode == 2 and "holds a training, which --force does not replace by an export" in done.stderr
    assert contents(tmp_path / "run") == before
    shutil.copytree(exported["EXPORTED"], tmp_path / "out")
    before = contents(tmp_path / "out")
    done = run_inside("train", *TINY, "--out", tmp_path / "out", "--force")
    assert done.returncode == 2 and "holds an export, which --force does not replace by a training" in done.stderr
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "EXPORTED", *DATA, "--record", "SAME", "--json", "SAME"),
        ("energy", "EXPORTED", *DATA, "--html", "SAME", "--json", "SAME"),
        ("inspect", "MODEL", "--html", "SAME", "--json", "SAME"),
        ("train", *TINY, "--out", "SAME", "--json", "SAME"),
        ("export", "MODEL", "--target", "nir", "--out", "SAME", "--json", "SAME"),
    ],
    ids=lambda words: words[0],
)
def test_two_options_with_one_name_are_refused_before_the_work(exported, tmp_path, run_inside, words):
    same = tmp_path / "same.npz"
    done = run_inside(*({**exported, "SAME": same}.get(w, w) if isinstance(w, str) else w for w in words))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"error: {same}: two options write this file; give each its own\n"
    assert list(tmp_path.iterdir()) == []
