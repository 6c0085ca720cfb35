"""The fresh interpreter in which Lava runs.

`python -m dalif_deploy.converters.lava.worker FOLDER [threads]`, FOLDER as `job` writes it; with "threads" Lava's
processes become threads of this one.

It runs the job, leaves the results, `done` or `failure-<pid>-<thread>.txt` in the folder, and then waits to be ended:
stopping a Lava runtime in order takes seconds, and after a failure for ever. It ends itself, with everything it
started, when its standard input closes, that is, when the process that wanted the results is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .compat import prepare_lava
from .job import DONE, Job, read_job

# One message a step is in flight on a channel; Lava's default of 64 fills /dev/shm for large layers.
CHANNEL_SIZE = 4


def main() -> None:
    """Runs the job of the folder named on the command line."""
    folder = Path(sys.argv[1])
    threading.Thread(target=_watch, args=(folder,), daemon=True).start()
    try:
        run_job(read_job(folder), threads=sys.argv[2:] == ["threads"])
        (folder / DONE).touch()
    except BaseException:
        report_failure(folder, "", traceback.format_exc())
    while True:
        signal.pause()


def run_job(job: Job, *, threads: bool) -> None:
    """Builds the network's processes and runs all steps, the network's unconnected parts one after the other."""
    prepare_lava()
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.magma.runtime import runtime

    from .build import build_lava

    if threads:
        from .threaded_messaging import use_threads

        use_threads()
    runtime.target_fn = _reporting(runtime.target_fn, job.folder)
    for component in build_lava(job):
        first = next(iter(component.models))
        first.run(
            condition=RunSteps(num_steps=job.total_steps()),
            run_cfg=Loihi2SimCfg(exception_proc_model_map=component.models),
            compile_config={"pypy_channel_size": CHANNEL_SIZE},
        )


def report_failure(folder: Path, process: str, text: str) -> None:
    """Leaves a failure report, first line the name of the Lava process, then the traceback; whole or not at all."""
    who = f"{os.getpid()}-{threading.get_ident()}"
    unfinished = folder / f".failure-{who}"
    unfinished.write_text(f"{process}\n{text}", encoding="utf-8")
    unfinished.rename(folder / f"failure-{who}.txt")


def _reporting(target: Callable[..., None], folder: Path) -> Callable[..., None]:
    """Lava's process body, made to report its own failure: Lava would log it at INFO, or hang before it does."""

    def reporting(*args: Any, **kwargs: Any) -> None:
        parameters = getattr(kwargs.get("builder"), "proc_params", None)
        name = (parameters.get("name") if parameters is not None else None) or ""
        try:
            target(*args, **kwargs)
        except BaseException:
            report_failure(folder, name, traceback.format_exc())
            raise

    return reporting


def _watch(folder: Path) -> None:
    """Ends everything when standard input closes; reports Lava processes that were killed (no traceback then)."""
    seen: set[multiprocessing.process.BaseProcess] = set()
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], 1.0)
        if readable and not os.read(sys.stdin.fileno(), 4096):
            shutil.rmtree(folder, ignore_errors=True)
            # to the whole group, this process included. Python's resource tracker ignores SIGTERM and, once all
            # others are gone, removes their shared memory.
            os.killpg(0, signal.SIGCONT)
            os.killpg(0, signal.SIGTERM)
            time.sleep(60)
        seen.update(multiprocessing.active_children())
        for process in seen:
            code = _exit_code(process)
            if code is not None and code < 0:
                killed = signal.Signals(-code).name
                report_failure(folder, "", f"LavaProcessKilled: a Lava process ended by {killed}")
                return


def _exit_code(process: multiprocessing.process.BaseProcess) -> int | None:
    try:
        return process.exitcode
    except ValueError:  # closed by Lava, which has seen it end
        return None


if __name__ == "__main__":
    main()
