"""Long work tells how far it has come: to the end, on a terminal only, with the time that remains."""

import os
import pty
import re
import sys
from contextlib import contextmanager, suppress
from threading import Thread

import numpy as np
import pytest
import torch

from dalif_deploy.api import energy_report, export, simulate
from dalif_deploy.converters.capture.user_code import load_user_module
from dalif_deploy.hw_models.progress import counted, reported_to, told, tracked, unreported
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
        one = counted("parts", 2)
        assert (one("first"), one(2)) == ("first", 2)
        with unreported():
            told("inside", 3, 4)
        assert list(tracked([], "nothing")) == []
    assert seen == [
        ("letters", 0, 2), ("letters", 1, 2), ("letters", 2, 2), ("parts", 0, 2), ("parts", 1, 2), ("parts", 2, 2),
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
    assert {
        "compiling, layers", "what can fire, steps", "float reference, steps of batches",
        "writing model.nir, bytes of arrays", "writing network.nir, bytes of arrays",
    } <= told_of_export  # fmt: skip
    for what in (
        "stress: silent neurons, rounds", "fast, samples", "mapping: cutting into cores, layers",
        "mapping: messages between cores, layers", "mapping: placing cores, chips", "what a spike sends, layers",
        "what a spike reads, layers", "time of a step, layers", "pricing, parts of the report",
    ):  # fmt: skip
        assert what in last, what
    # the search may stop before its last round; all else ends
    assert all(done == total for what, (done, total) in last.items() if not what.startswith("stress"))


OWN_LOOP = """
import time
import torch
from torch import nn
import snntorch as snn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.neuron = nn.Linear(64, 10), snn.Leaky(beta=0.9, threshold=0.2)

    def forward(self, x):
        membrane, spikes = self.neuron.init_leaky(), []
        for _ in range(12):
            time.sleep(0.03 if len(x) > 2 else 0)
            spike, membrane = self.neuron(self.layer(x.flatten(1)), membrane)
            spikes.append(spike)
        return torch.stack(spikes)
"""


@pytest.fixture(scope="module")
def own_loop(tmp_path_factory):
    """A file with a network that alone knows how many steps it runs, and samples for it."""
    folder = tmp_path_factory.mktemp("own_loop")
    (folder / "net.py").write_text(OWN_LOOP)
    np.savez(folder / "samples.npz", input=np.random.default_rng(0).random((8, 1, 8, 8), np.float32))
    return f"{folder / 'net.py'}:Net", folder / "samples.npz"


def test_a_module_that_loops_over_time_itself_is_counted_to_its_end(own_loop, tmp_path):
    seen = {}
    example = torch.from_numpy(np.load(own_loop[1])["input"])
    with reported_to(lambda what, done, total: seen.setdefault(what, []).append((done, total))):
        export(load_user_module(own_loop[0]), example, target="nir", out=tmp_path / "out")
    running = seen["running the module, operations"]
    whole = running[-1][0]
    assert whole > 12 and running == [(done, whole) for done in (*range(1, whole + 1), whole)]
    assert seen["comparing module and graph, samples"][-1] == (8, 8)


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


def test_a_running_module_shows_the_time_that_remains(own_loop, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("COLUMNS", "100")
    asked = ["export", own_loop[0], "--example", own_loop[1], "--target", "nir", "-o"]
    with terminal_at_standard_error(monkeypatch) as sent:
        done = run_here([*asked, tmp_path / "shown"], capfd)
    assert done.returncode == 0 and "operations" not in done.stdout
    bar = re.findall(r"running the module, operations[^\r]*?(\d+)%[^\r]*?0:00:0\d", sent.decode())
    assert bar and int(bar[0]) < 100
    again = run_here([*asked, tmp_path / "silent"], capfd)
    assert again.returncode == 0 and again.stderr == f"running your own code: {own_loop[0]}\n"
