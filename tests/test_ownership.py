"""--force replaces what our commands wrote and nothing of a person's: every command, every option that writes."""

import re
import shutil
from pathlib import Path
from typing import get_args

import pytest
import torch

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
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A checkpoint, and the folder of its export."""
    folder = tmp_path_factory.mktemp("ownership")
    torch.manual_seed(0)
    network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[2], strides=[2], steps=1))
    save_checkpoint(folder / "model.pt", network, {"dataset": "digits", "input_step": 1 / 16})
    return folder


@pytest.fixture
def run_inside(capfd):
    return lambda command, *arguments: run_here([command, *arguments], capfd)


def contents(path):
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path.parent)): p.read_bytes() for p in files}


@pytest.mark.parametrize(("command", "needs", "option", "name"), WRITES, ids=lambda part: part if isinstance(part, str) else "")  # noqa: E501 # fmt: skip
def test_force_replaces_ours_and_keeps_theirs(places, tmp_path, run_inside, command, needs, option, name):
    if option == "--plot":
        pytest.importorskip("matplotlib")
    exported = places / "exported"
    if "EXPORTED" in needs and not exported.exists():
        done = run_inside("export", places / "model.pt", "--target", "lava", "-o", exported)
        assert done.returncode == 0, done.stderr
    target, is_folder = tmp_path / name, option == "--out"
    words = {"MODEL": places / "model.pt", "EXPORTED": exported}

    def run(number, *more):
        here = {**words, "ELSEWHERE": tmp_path / f"elsewhere{number}"}
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


def test_the_table_has_every_option_that_writes():
    """By the commands' own signatures: what names a file or a folder to be written."""
    import inspect
    from importlib import import_module

    found = set()
    for path in (Path(__file__).parents[1] / "dalif_deploy" / "cli").glob("*.py"):
        function = getattr(import_module(f"dalif_deploy.cli.{path.stem}"), path.stem, None)
        if function is None:
            continue
        parameters = inspect.signature(function, eval_str=True).parameters
        spelt = {"out": "--out", "json_file": "--json", "html_file": "--html", "plot_file": "--plot"}
        reads = {"model", "folder", "source", "data_root", "config_file", "thing"}
        for name, parameter in parameters.items():
            annotated = get_args(parameter.annotation)[:1]
            is_path = Path in (*annotated, *(kind for each in annotated for kind in get_args(each)))
            if name not in reads and (is_path or name == "json_file"):
                found.add((path.stem, spelt.get(name, f"--{name}")))
    assert found == {(command, option) for command, _, option, _ in WRITES}


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
