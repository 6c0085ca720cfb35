"""Runs a ChipNetwork in Lava, in an interpreter of its own, under time limits; leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from converters.lava.checks import check_input, check_network
from converters.lava.compat import require_lava
from converters.lava.job import DONE, PROGRESS, Job, write_job
from converters.lava.process_session import end_session
from hw_models.chip_network import ChipNetwork
from hw_models.errors import UserError
from hw_models.recording import EncodedInput, Recording

RECORDS = ("spikes", "membrane")
STEP_LIMIT_SECONDS = 60.0
TOTAL_LIMIT_SECONDS = 6 * 3600.0
START_SECONDS = 120.0  # at least this long for importing Lava and building its processes
POLL_SECONDS = 0.02
SHARED_MEMORY_SIGNALS = ("SIGBUS",)


class LavaProcessError(Exception):
    """The traceback of the Lava process that failed, as text; the cause of the UserError that tells of it."""


def run_lava(
    network: ChipNetwork,
    encoded: EncodedInput,
    *,
    record: Iterable[str] = RECORDS,
    step_limit_seconds: float = STEP_LIMIT_SECONDS,
    total_limit_seconds: float = TOTAL_LIMIT_SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> Recording:
    """Runs all samples, back to back, in Lava's bit-accurate processes.

    Whatever happens (error, time limit, KeyboardInterrupt, the death of this process), no process, no shared
    memory and no temporary file is left.

    Args:
        record: any of "spikes" and "membrane"; outputs are always there.
        step_limit_seconds: longest time without any population finishing a step.
        total_limit_seconds: longest time in all.
        progress: called with (steps done, steps in all) as they pass. What it raises ends the run.

    Returns:
        Recording in logical time, [N, T, ...].

    Raises:
        UserError: Lava is not installed, cannot run the network exactly, failed (its traceback is the cause), or
            took too long.
    """
    record = frozenset(record)
    if not record <= set(RECORDS):
        raise ValueError(f"record takes {RECORDS}, got {sorted(record)}")
    require_lava()
    check_network(network)
    check_input(network, encoded)
    folder = Path(tempfile.mkdtemp(prefix="dalif-lava-"))
    try:
        job = Job(folder, network, encoded, record)
        _check_room(job)
        write_job(job)
        if encoded.samples and network.populations:
            _run_worker(job, step_limit_seconds, total_limit_seconds, progress)
        return _read_recording(job)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_room(job: Job) -> None:
    needed = sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for _, _, shape, dtype in job.results())
    needed += sum(array.nbytes for array in job.encoded.messages.values())
    free = shutil.disk_usage(job.folder).free
    if needed > free:
        raise UserError(
            f"recording needs {needed / 1e9:.1f} GB, the temporary folder has {free / 1e9:.1f} GB",
            where=str(job.folder.parent),
            remedy="use fewer samples, or set TMPDIR to a larger disk",
        )


def _run_worker(job: Job, step_limit: float, total_limit: float, progress: Callable[[int, int], None] | None) -> None:
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([root, inherited] if inherited else [root]),
        # the job's folder, by a name short enough for the sockets that multiprocessing puts there
        "TMPDIR": "/proc/self/cwd",
        # a dozen Lava processes share the cores already
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (job.folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "converters.lava.worker", str(job.folder)],
            cwd=job.folder,  # so that no file of the user's folder is taken for a module
            env=environment,
            stdin=subprocess.PIPE,  # its closing tells the worker that nobody waits any more
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(job, worker, step_limit, total_limit, progress)
    finally:
        try:
            end_session(worker)
        finally:  # a second Ctrl-C may cut the line above short: the worker then ends itself, and removes the folder
            worker.stdin.close()


def _wait(
    job: Job,
    worker: subprocess.Popen,
    step_limit: float,
    total_limit: float,
    progress: Callable[[int, int], None] | None,
) -> None:
    counters = np.load(job.folder / PROGRESS, mmap_mode="r")
    total = job.total_steps()
    start = last_change = time.monotonic()
    seen, shown = 0, -1
    while True:
        failures = sorted(job.folder.glob("failure-*.txt"), key=lambda path: path.stat().st_mtime_ns)
        if failures:
            raise _failure(failures[0])
        finished = (job.folder / DONE).exists()
        done = int(counters.sum())
        now = time.monotonic()
        if done != seen:
            seen, last_change = done, now
        if progress is not None and done // len(counters) != shown:
            shown = done // len(counters)
            progress(shown, total)
        if finished:
            return
        if worker.poll() is not None:
            raise UserError(
                f"Lava's interpreter ended by itself (exit code {worker.returncode})",
                remedy="see what it wrote with --debug",
            ) from LavaProcessError((job.folder / "worker.log").read_text(errors="replace"))
        if now - last_change > (step_limit if seen else max(START_SECONDS, step_limit)):
            raise UserError(
                f"Lava finished no step within {now - last_change:.0f} s (step {int(counters.min()) + 1} of {total})",
                where=_slowest(job, counters),
                remedy="allow a longer step, or use a smaller network",
            )
        if now - start > total_limit:
            raise UserError(
                f"Lava took longer than {total_limit:.0f} s (step {int(counters.min()) + 1} of {total})",
                remedy="use fewer samples, or the fast engine",
            )
        time.sleep(POLL_SECONDS)


def _slowest(job: Job, counters: np.ndarray) -> str | None:
    """The population that stands a step behind the others, if it is one."""
    behind = np.flatnonzero(counters == counters.min())
    return list(job.network.populations)[behind[0]] if len(behind) == 1 else None


def _failure(report: Path) -> UserError:
    where, _, text = report.read_text(encoding="utf-8").partition("\n")
    lines = [line for line in text.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "no traceback"
    remedy = "see the whole traceback with --debug"
    if any(name in last for name in SHARED_MEMORY_SIGNALS):
        remedy = "give /dev/shm and the temporary folder more room (docker: --shm-size)"
    error = UserError(f"Lava failed: {last}", where=where or None, remedy=remedy)
    error.__cause__ = LavaProcessError(f"in a Lava process:\n{text}")
    return error


def _read_recording(job: Job) -> Recording:
    recording = Recording()
    names = {"output": list(job.network.outputs)}
    fields = {"spikes": recording.spikes, "membrane": recording.membrane, "output": recording.outputs}
    for kind, index, _, _ in job.results():
        name = names.get(kind, list(job.network.populations))[index]
        fields[kind][name] = np.load(job.result_path(kind, index))
    return recording
