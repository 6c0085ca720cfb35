"""Long work tells how far it has come: to the end, on a terminal only, with the time that remains."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dalif_deploy.api import energy_report, export, simulate
from dalif_deploy.hw_models.progress import reported_to, stage, told, tracked
from dalif_deploy.hw_models.stress import stress_samples
from tests.test_commands import checkpoint

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("progress") / "model.pt", channels=[4, 6], strides=[1, 2])


def test_items_are_told_one_by_one_and_nobody_need_listen():
    seen = []
    with reported_to(lambda *each: seen.append(each)):
        assert list(tracked("ab", "letters")) == ["a", "b"]
        with stage("thinking"):
            told("inside", 3, 4)
        assert list(tracked([], "nothing")) == []
    assert seen == [
        ("letters", 0, 2), ("letters", 1, 2), ("letters", 2, 2), ("thinking", 0, None), ("inside", 3, 4),
        ("thinking", 1, 1),
    ]  # fmt: skip
    assert list(tracked("ab", "letters")) == ["a", "b"] and len(seen) == 6


def test_long_work_is_told_to_its_end(source, tmp_path):
    last = {}
    images = np.random.default_rng(0).random((8, 1, 8, 8)).astype(np.float32)
    with reported_to(lambda what, done, total: last.__setitem__(what, (done, total))):
        artefact = export(source, out=tmp_path / "out", chip="loihi1", calibrate=images)
        told_of_export = set(last)
        stress_samples(artefact.network, 2, rounds=2)
        simulate(artefact, images)
        energy_report(artefact, images)
    assert {"compiling, layers", "what can fire, steps", "float reference, batches"} <= told_of_export
    for what in ("stress: silent neurons, rounds", "fast, samples", "mapping onto cores"):
        assert what in last, what
    # the search may stop before its last round; all else ends
    assert all(done == total for what, (done, total) in last.items() if not what.startswith("stress"))


def on_a_terminal(*command):
    """Standard output by a pipe, what a terminal at standard error was sent."""
    terminal, end = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-m", "dalif_deploy", *map(str, command)],
        stdout=subprocess.PIPE, stderr=end, stdin=subprocess.DEVNULL, env=environment, text=True,
    ) as running:  # fmt: skip
        os.close(end)
        sent = b""
        while True:
            try:
                part = os.read(terminal, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            sent += part
        printed = running.stdout.read()
    os.close(terminal)
    assert running.returncode == 0, sent
    return printed, sent.decode()


def test_a_terminal_is_shown_bars_with_the_time_that_remains(source, tmp_path):
    printed, sent = on_a_terminal("inspect", source)
    assert "trying chips" in sent and "0%" in sent and "-:--:--" in sent  # nothing is known of the first chip yet
    assert "trying chips" not in printed
    quiet = subprocess.run(
        [sys.executable, "-m", "dalif_deploy", "inspect", str(source)], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert quiet.returncode == 0 and quiet.stderr == ""
