"""Odd surroundings: streams, encodings, HOME, clock and folders that are not as one expects."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dalif_deploy.networks import NetworkSpec, build_network
from dalif_deploy.networks.checkpoint import save_checkpoint

ROOT = str(Path(__file__).resolve().parents[1])
# a command that prints a large table, as the reports do, and then ends as its argument says
TABLE = """
from dalif_deploy.cli.command import run_command
from dalif_deploy.hw_models.errors import CheckFailed
def table(outcome: str = "well", rows: int = 3000):
    from rich.console import Console
    from rich.table import Table
    shown = Table("µJ → pJ", "layer…")
    for row in range(rows):
        shown.add_row(str(row), "± 0.5 µ\\udcff")
    if rows:
        Console().print(shown)
    print("last")
    if outcome == "badly":
        raise CheckFailed("spikes differ ± ≠")
run_command(table)
"""
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def environment(**changes):
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")])), **changes}
    return {name: value for name, value in given.items() if value is not None}


def run(*words, shell="", cwd=None, **changes):
    """Python with `words`; `shell` is what follows it on a shell's line."""
    line = ["bash", "-c", f'"$@" {shell}', "bash", sys.executable, *map(str, words)]
    return subprocess.run(line, capture_output=True, timeout=250, cwd=cwd, env=environment(**changes))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.py"
    path.write_text(TABLE, encoding="utf-8")
    return path


@pytest.mark.parametrize(("outcome", "code"), [("well", 0), ("badly", 1)])
def test_a_reader_that_leaves_changes_no_outcome(table, outcome, code):
    done = run(table, "--outcome", outcome, shell='| head -1; exit "${PIPESTATUS[0]}"')
    assert done.returncode == code and done.stdout.count(b"\n") == 1
    assert done.stderr.count(b"\n") == code and b"Broken" not in done.stderr


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-"])
def test_closed_streams(table, streams):
    done = run(table, "--outcome", "badly", shell=streams)
    assert done.returncode == 1 and done.stdout == b""
    assert done.stderr.decode() == ("" if "2>" in streams else "error: spikes differ ± ≠\n")


@pytest.mark.parametrize("rows", [0, 3000])  # said when the command has ended, and while it prints
def test_an_output_that_is_full_is_one_line(table, rows):
    done = run(table, "--rows", rows, shell="> /dev/full")
    assert done.returncode == 2 and done.stderr.startswith(b"error: No space left on device")
    assert done.stderr.count(b"\n") == 1


def test_an_encoding_without_boxes_and_signs(table):
    done = run(table, "--outcome", "badly", **ASCII)
    assert done.returncode == 1 and done.stderr == b"error: spikes differ ? ?\n"
    assert done.stdout.isascii() and done.stdout.count(b"\n") > 3000 and done.stdout.endswith(b"last\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("surroundings")
    torch.manual_seed(0)
    network = build_network(NetworkSpec(input_shape=(1, 8, 8), classes=10, channels=[6, 8], strides=[1, 2]))
    save_checkpoint(folder / "model.pt", network, {"dataset": "digits", "input_step": 1 / 16})
    np.savez(folder / "data.npz", input=(np.random.default_rng(0).integers(0, 17, (5, 1, 8, 8)) / 16))
    return folder


# zip archives hold no year before 1980
CLOCK = """
import os, sys, time
time.time, time.localtime = lambda: 86400.0, lambda *_: time.gmtime(86400)
os.utime("model.pt", (0, 0))
"""
ODD = {
    "ascii, no home": ("", {**ASCII, "HOME": None, "XDG_CACHE_HOME": None}),
    "1970, home not writable": (CLOCK, {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": None, "TZ": "Nowhere/Unknown"}),
}


@pytest.mark.parametrize("odd", ODD)
def test_export_simulation_and_reports_in_odd_surroundings(place, odd):
    before, changes = ODD[odd]
    code = f"{before}\nfrom tests.exported_by_all import main\nmain('model.pt', 'data.npz', {odd!r}, 'lava')"
    done = run("-c", code, cwd=place, **changes)
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    assert {path.name for path in (place / odd).iterdir()} == {"lava", "energy.json", "energy.html", "record.npz"}
    assert b"block1" in done.stdout and (done.stdout.isascii() or "ascii" not in odd)
    (place / odd / "energy.html").read_text(encoding="utf-8")
    np.load(place / odd / "record.npz").close()


def test_a_working_folder_that_is_gone(place, tmp_path):
    code = "import os; os.rmdir(os.getcwd()); from dalif_deploy.cli.export import main; main()"
    (tmp_path / "gone").mkdir()
    done = run("-c", code, place / "model.pt", "--target", "nir", "-o", tmp_path / "out", cwd=tmp_path / "gone")
    assert (done.returncode, done.stderr) == (2, b"error: the working folder is gone; change to a folder that exists\n")
    assert os.listdir(tmp_path) == []
