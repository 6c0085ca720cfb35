"""Lava in its own interpreter: failures are told, limits kept, and nothing is left running or lying about."""

from __future__ import annotations

import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from dalif_deploy.converters.lava import compat, session
from dalif_deploy.converters.lava.lava_session import run_lava
from dalif_deploy.converters.lava.process_session import session_processes
from dalif_deploy.hw_models.chip_network.form import ChipInput
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.recording import EncodedInput, Recording
from tests import lava_networks as nets

ROOT = Path(__file__).resolve().parents[1]
# runs a network for a long time and says when it is under way
LONG_RUN = """
import os, sys
from dalif_deploy.converters.lava import session
from tests import test_lava_session as here
network, encoded = here.long_network()
session.run_lava(network, encoded, workers=here.WORKERS, progress=lambda done, total: print(done, flush=True))
"""


@pytest.fixture(autouse=True)
def _lava_installed(lava):
    """Every test here."""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    """A temporary folder that must be empty afterwards, and a look at processes and shared memory."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    shared_before = shared_memory()
    yield folder
    until(lambda: not worker_processes(folder), "processes are left")
    until(lambda: not list(folder.iterdir()), f"temporary files are left: {list(folder.rglob('*'))}")
    until(lambda: not shared_memory() - shared_before, "shared memory is left")


def shared_memory() -> set[str]:
    return set(glob.glob("/dev/shm/psm_*"))


def worker_processes(folder: Path) -> dict[int, str]:
    """Living processes that work in a (perhaps already removed) folder below `folder`, and their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd").startswith(f"{folder}/"):
                found[int(process.name)] = (process / "cmdline").read_text()
        except OSError:  # gone, or a zombie
            continue
    return found


def until(condition, complaint: str, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, complaint
        time.sleep(0.05)


WORKERS = 2  # in the tests of how a run ends


def equal(one: Recording, other: Recording) -> None:
    for field in ("spikes", "membrane", "outputs"):
        first, second = getattr(one, field), getattr(other, field)
        assert first.keys() == second.keys()
        for name in first:
            np.testing.assert_array_equal(first[name], second[name], err_msg=f"{field} of {name}", strict=True)


@pytest.mark.parametrize(("make", "threads"), [(nets.recurrent_network, False), (nets.bias_network, True)])
def test_three_workers_give_what_one_gives(make, threads):
    network, encoded = make()  # 5 and 4 samples: unequal shares
    shown = []
    progress = lambda done, total: shown.append((done, total))  # noqa: E731
    three = run_lava(network, encoded, workers=3, threads=threads, progress=progress)
    equal(three, run_lava(network, encoded))
    depth = max(network.depths().values())
    assert shown[-1] == (encoded.samples * encoded.steps + 3 * depth,) * 2 and shown == sorted(shown)


def test_failure_inside_a_thread_is_told(monkeypatch):
    corrupt_after_writing(monkeypatch, shrink)
    with pytest.raises(UserError, match=r"^hidden: Lava failed: IndexError: .*--debug$"):
        run_lava(*nets.dense_network(), threads=True)


def test_never_more_workers_than_samples(monkeypatch):
    folders = []
    corrupt_after_writing(monkeypatch, lambda job: folders.append(job.encoded.samples))
    network, encoded = nets.dense_network()
    run_lava(network, encoded.part(slice(0, 2)), workers=7)
    assert folders == [1, 1]


def long_network():
    network, _ = nets.dense_network()
    rng = np.random.default_rng(0)
    return network, EncodedInput(5, 20_000, {"events": nets.spikes(rng, 20_000, 5, 10)})


@pytest.fixture
def start_long_run(own_temporary_folder):
    """A process of its own that runs Lava, past its first steps."""
    started = []

    def start() -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", LONG_RUN],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        for line in process.stdout:
            if int(line) > 5:
                assert worker_processes(own_temporary_folder)
                return process
        raise AssertionError(process.stderr.read())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def corrupt_after_writing(monkeypatch, corrupt) -> None:
    """Lets the test spoil the job's files, which the checks in front of Lava would refuse."""
    write_job = session.write_job

    def write_and_corrupt(job):
        write_job(job)
        corrupt(job)

    monkeypatch.setattr(session, "write_job", write_and_corrupt)


def shrink(job):
    np.save(job.result_path("spikes", 0), np.zeros((1, 1, 7), np.uint8))


def test_failure_inside_a_process_is_told_with_its_traceback(monkeypatch):
    corrupt_after_writing(monkeypatch, shrink)
    with pytest.raises(UserError, match=r"^hidden: Lava failed: IndexError: .*--debug$") as caught:
        run_lava(*nets.dense_network())
    assert "converters/lava/recorder.py" in str(caught.value.__cause__)  # the process's own traceback


def test_failure_before_the_first_step_is_told(monkeypatch):
    def cut(job):
        (job.folder / "job.json").write_text("{")

    corrupt_after_writing(monkeypatch, cut)
    with pytest.raises(UserError, match=r"Lava failed: json\.decoder\.JSONDecodeError"):
        run_lava(*nets.dense_network())


def test_hung_process_ends_at_the_step_limit(own_temporary_folder):
    stopped = []

    def stop_them_all(done, total):
        if done > 3 and not stopped:
            stopped.append(done)
            # all workers: only one that has counted a step is under the step's limit, the others are still starting
            for leader in {os.getsid(pid) for pid in worker_processes(own_temporary_folder)}:
                for pid in session_processes(leader):
                    if pid != leader:
                        os.kill(pid, signal.SIGSTOP)

    start = time.monotonic()
    with pytest.raises(UserError, match=r"Lava finished no step within 2 s \(step \d+ of 50002\)"):
        run_lava(*long_network(), workers=WORKERS, step_limit_seconds=1.5, progress=stop_them_all)
    assert time.monotonic() - start < 30


def test_killed_process_is_told(own_temporary_folder):
    killed = []

    def kill_one(done, total):
        if done > 3 and not killed:
            killed.append(done)
            time.sleep(1.2)  # so that the worker has seen its children
            leader = max(os.getsid(pid) for pid in worker_processes(own_temporary_folder))
            command = session_processes(leader)[leader]
            os.kill(max(p for p, c in session_processes(leader).items() if c == command), signal.SIGKILL)

    with pytest.raises(UserError, match="a Lava process ended by SIGKILL"):
        run_lava(*long_network(), workers=WORKERS, progress=kill_one)


def test_total_limit():
    with pytest.raises(UserError, match="Lava took longer than 4 s"):
        run_lava(*long_network(), total_limit_seconds=4)


def test_ctrl_c_ends_everything(start_long_run):
    process = start_long_run()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0 and "KeyboardInterrupt" in errors


def test_death_of_the_caller_ends_everything(start_long_run):
    process = start_long_run()
    process.kill()
    process.wait(timeout=10)


def test_the_worker_is_free_of_torch():
    script = "import sys; from dalif_deploy.converters.lava import compat, worker; compat.prepare_lava(); "
    script += "from dalif_deploy.converters.lava import build, convolution; print('torch' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert shown.stdout.strip() == "False", shown.stderr


def test_missing_lava_names_the_command(monkeypatch):
    monkeypatch.setattr(compat.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "dalif-deploy\[lava\]"') as caught:
        run_lava(*nets.dense_network())
    assert ("--ignore-requires-python lava-nc==0.10.0" in str(caught.value)) == (sys.version_info >= (3, 11))


def spoil(which: str):
    network, encoded = nets.dense_network()
    hidden, weight = network.populations["hidden"], network.projections["2: hidden->readout"]
    if which == "bias_mant must be an integer in -4096..4095":
        hidden.bias_mant = np.array(4096)
    elif which == "dv must be an integer":
        hidden.dv = np.array(0.5)
    elif which == "mixed-sign weights must be even":
        weight.weight = weight.weight.copy()
        weight.weight[0, 0] = 3
    elif which == "weight of shape":
        weight.weight = weight.weight[:, 1:]
    elif which == "loop without delay":
        network.projections["loop"] = nets.synapses("readout", "hidden", np.ones((7, 4), int))
    elif which == "in a pipeline, its delay is 1":
        network.projections["loop"] = nets.synapses("readout", "hidden", np.ones((7, 4), int), delay=1)
    elif which == "no messages":
        encoded.messages.clear()
    elif which == "messages of shape":
        encoded.messages["events"] = encoded.messages["events"][:, :3]
    return network, encoded


@pytest.mark.parametrize(
    "complaint",
    [
        "bias_mant must be an integer in -4096..4095",
        "dv must be an integer",
        "mixed-sign weights must be even",
        "weight of shape",
        "loop without delay",
        "in a pipeline, its delay is 1",
        "no messages",
        "messages of shape",
    ],
)
def test_what_lava_would_run_wrongly_is_refused(complaint):
    with pytest.raises(UserError, match=complaint) as caught:
        run_lava(*spoil(complaint))
    assert "\n" not in str(caught.value)


def test_unmodified_lava_gives_the_same_spikes():
    """Control: Lava's own LIFReset, Dense and RingBuffer with nothing of ours between them."""
    rng = np.random.default_rng(9)
    weight, messages = nets.even(rng, 6, 8), nets.spikes(rng, 1, 40, 8)
    network = nets.network(
        40,
        [ChipInput("events", (8,), "spikes")],
        [nets.population("lif", (6,), du=900, vth=90, bias_mant=55, bias_exp=1)],
        [nets.synapses("events", "lif", weight)],
    )
    ours = run_lava(network, EncodedInput(40, 1, {"events": messages})).spikes["lif"][0]
    script = f"""
from dalif_deploy.converters.lava.compat import prepare_lava
prepare_lava()
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIFReset
source = Source(data=np.array({messages[0].T.tolist()}))
dense = Dense(weights=np.array({weight.tolist()}))
lif = LIFReset(shape=(6,), du=900, dv=400, vth=90, bias_mant=55, bias_exp=1, reset_interval=40, reset_offset=2)
sink = Sink(shape=(6,), buffer=41)
source.s_out.connect(dense.s_in)
dense.a_out.connect(lif.a_in)
lif.s_out.connect(sink.a_in)
lif.run(condition=RunSteps(num_steps=41), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
print(sink.data.get().astype(int).tolist())
lif.stop()
"""
    # without our watchdog Lava now and then ends empty-handed on a busy machine
    for _ in range(3):
        shown = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=90
        )
        if shown.stdout.startswith("["):
            break
    assert shown.stdout.startswith("["), shown.stderr
    theirs = np.array(json.loads(shown.stdout)).T[1:]  # one step later: the hop from the input
    assert theirs.any()
    np.testing.assert_array_equal(ours, theirs)
