"""Long work tells how far it has come: to the end, on a terminal only, with the time that remains."""

import os
import pty
import sys
from contextlib import contextmanager, suppress
from threading import Thread

import numpy as np
import pytest

from dalif_deploy.api import energy_report, export, simulate
from dalif_deploy.hw_models.progress import reported_to, stage, told, tracked
from dalif_deploy.hw_models.stress import stress_samples
from tests.commands_here import run_here
from tests.test_commands import checkpoint


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


@contextmanager
def terminal_at_standard_error(monkeypatch):
    """A pseudo terminal in place of sys.stderr; what it was sent, when it is closed."""
    terminal, end = pty.openpty()
    sent = bytearray()

    def read():  # at once: a terminal that nobody reads blocks its writer
        with suppress(OSError):  # the other end is closed
            while part := os.read(terminal, 4096):
                sent.extend(part)

    reader = Thread(target=read)
    reader.start()
    with monkeypatch.context() as patched:
        patched.setenv("TERM", "xterm")
        with open(end, "w", encoding="utf-8") as shown:
            patched.setattr(sys, "stderr", shown)
            yield sent
    reader.join()
    os.close(terminal)


def test_a_terminal_is_shown_bars_with_the_time_that_remains(source, monkeypatch, capfd):
    monkeypatch.setenv("COLUMNS", "100")
    with terminal_at_standard_error(monkeypatch) as sent:
        done = run_here(["inspect", source], capfd)
    shown = sent.decode()
    assert done.returncode == 0 and "trying chips" not in done.stdout and done.stderr == ""
    assert "trying chips" in shown and "0%" in shown and "-:--:--" in shown  # nothing is known of the first chip yet
    again = run_here(["inspect", source], capfd)
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, "")
