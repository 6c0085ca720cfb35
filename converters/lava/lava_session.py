"""Runs a ChipNetwork in Lava, in interpreters of their own, under time limits; leaves nothing behind."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.recording import EncodedInput, EncodedSamples, Recording

from .checks import check_input, check_network
from .compat import require_lava
from .job import Job, write_job
from .process_session import end_sessions
from .worker_run import WorkerRun

RECORDS = ("spikes", "membrane")
STEP_LIMIT_SECONDS = 60.0
TOTAL_LIMIT_SECONDS = 6 * 3600.0
POLL_SECONDS = 0.02


def run_lava(
    network: ChipNetwork,
    encoded: EncodedSamples,
    *,
    record: Iterable[str] = RECORDS,
    workers: int = 1,
    threads: bool = False,
    step_limit_seconds: float = STEP_LIMIT_SECONDS,
    total_limit_seconds: float = TOTAL_LIMIT_SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> Recording:
    """Runs all samples, back to back, in Lava's bit-accurate processes.

    Whatever happens (error, time limit, KeyboardInterrupt, the death of this process), no process, no shared
    memory and no temporary file is left.

    Args:
        record: any of "spikes" and "membrane"; outputs are always there.
        workers: interpreters that share the samples in contiguous ranges; never more than there are samples.
        threads: Lava's processes as threads of their interpreter, which starts many small networks quickly.
        step_limit_seconds: longest time without any population finishing a step.
        total_limit_seconds: longest time in all.
        progress: called with (steps done, steps in all) of all workers as they pass. What it raises ends the run.

    Returns:
        Recording in logical time, [N, T, ...].

    Raises:
        UserError: Lava is not installed, cannot run the network exactly, failed (its traceback is the cause), or
            took too long.
    """
    record = frozenset(record)
    if not record <= set(RECORDS):
        raise ValueError(f"record takes {RECORDS}, got {sorted(record)}")
    if workers < 1:
        raise UserError(f"{workers} workers", remedy="use at least one")
    require_lava()
    check_network(network)
    check_input(network, encoded if isinstance(encoded, EncodedInput) else encoded.part(slice(1)))
    jobs: list[Job] = []
    try:
        for samples in _ranges(encoded.samples, workers):
            # a folder each, since a worker that outlives this process removes its own
            folder = Path(tempfile.mkdtemp(prefix="dalif-lava-"))
            jobs.append(Job(folder, network, encoded.range(samples), record))
        _check_room(jobs)
        for job in jobs:
            write_job(job)
        if encoded.samples and network.populations:
            _run_workers(jobs, threads, step_limit_seconds, total_limit_seconds, progress)
        return _read_recording(jobs)
    finally:
        for job in jobs:
            shutil.rmtree(job.folder, ignore_errors=True)


def _ranges(samples: int, workers: int) -> list[slice]:
    """Contiguous ranges of nearly equal length, none of them empty; one where there are no samples."""
    count = max(1, min(workers, samples))
    ends = [samples * (i + 1) // count for i in range(count)]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _check_room(jobs: list[Job]) -> None:
    needed = sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for job in jobs for _, _, shape, dtype in job.results())
    for job in jobs:
        one = job.encoded.part(slice(1))
        arrays = [*one.messages.values(), *(array for mant_exp in one.bias.values() for array in mant_exp)]
        needed += job.encoded.samples * sum(array.nbytes for array in arrays)
    folder = jobs[0].folder
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"recording needs {needed / 1e9:.1f} GB, the temporary folder has {free / 1e9:.1f} GB",
            where=str(folder.parent),
            remedy="use fewer samples, or set TMPDIR to a larger disk",
        )


def _run_workers(
    jobs: list[Job],
    threads: bool,
    step_limit: float,
    total_limit: float,
    progress: Callable[[int, int], None] | None,
) -> None:
    runs: list[WorkerRun] = []
    try:
        for job in jobs:
            runs.append(WorkerRun(job, threads=threads))
        _wait(runs, step_limit, total_limit, progress)
    finally:
        try:
            end_sessions([run.process for run in runs])
        finally:  # a second Ctrl-C may cut the line above short: the workers then end themselves, folders and all
            for run in runs:
                if run.process.stdin is not None:
                    run.process.stdin.close()


def _wait(
    runs: list[WorkerRun], step_limit: float, total_limit: float, progress: Callable[[int, int], None] | None
) -> None:
    total, shown = sum(run.total for run in runs), -1
    running = list(runs)
    while running:
        running = [run for run in running if not run.finished(step_limit, total_limit)]
        done = sum(run.steps_done for run in runs)
        if progress is not None and done != shown:
            shown = done
            progress(shown, total)
        if running:
            time.sleep(POLL_SECONDS)


def _read_recording(jobs: list[Job]) -> Recording:
    recording, network = Recording(), jobs[0].network
    names = {"output": list(network.outputs)}
    fields = {"spikes": recording.spikes, "membrane": recording.membrane, "output": recording.outputs}
    for kind, index, _, _ in jobs[0].results():
        name = names.get(kind, list(network.populations))[index]
        # mapped, so that memory need not hold all samples; the file's room is free again when the array is
        parts = [np.load(job.result_path(kind, index), mmap_mode="c") for job in jobs]
        fields[kind][name] = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return recording
