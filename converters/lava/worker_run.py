"""One worker at its job, seen from outside: started, looked at, ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import dalif_deploy
from dalif_deploy.hw_models.errors import UserError

from .job import DONE, PROGRESS, Job

START_SECONDS = 120.0  # at least this long for importing Lava and building its processes
SHARED_MEMORY_SIGNALS = ("SIGBUS",)


class LavaProcessError(Exception):
    """The traceback of the Lava process that failed, as text; the cause of the UserError that tells of it."""


class WorkerRun:
    """A worker that was started on a job; `process` leads a session of its own.

    Args:
        threads: Lava's processes as threads of the worker (`dalif_deploy.converters.lava.threaded_messaging`).
    """

    def __init__(self, job: Job, *, threads: bool):
        self.job, self.total = job, job.total_steps()
        self._counters = np.load(job.folder / PROGRESS, mmap_mode="r")
        self._start = self._last_change = time.monotonic()
        self._seen = 0
        root = str(Path(dalif_deploy.__file__).resolve().parents[1])
        inherited = os.environ.get("PYTHONPATH")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([root, inherited] if inherited else [root]),
            # the job's folder, by a name short enough for the sockets that multiprocessing puts there
            "TMPDIR": "/proc/self/cwd",
            # a dozen Lava processes share the cores already
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [sys.executable, "-W", "ignore", "-m", "dalif_deploy.converters.lava.worker", str(job.folder)]
        with (job.folder / "worker.log").open("wb") as log:
            self.process = subprocess.Popen(
                command + (["threads"] if threads else []),
                cwd=job.folder,  # so that no file of the user's folder is taken for a module
                env=environment,
                stdin=subprocess.PIPE,  # its closing tells the worker that nobody waits any more
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def steps_done(self) -> int:
        """Lava steps that the populations have done, on average."""
        return int(self._counters.sum()) // len(self._counters)

    def finished(self, step_limit: float, total_limit: float) -> bool:
        """Whether the job is done; to be asked often, since it keeps the time limits.

        Raises:
            UserError: the worker failed, ended by itself, or took too long.
        """
        job = self.job
        failures = sorted(job.folder.glob("failure-*.txt"), key=lambda path: path.stat().st_mtime_ns)
        if failures:
            raise _failure(failures[0])
        done, now = int(self._counters.sum()), time.monotonic()
        if done != self._seen:
            self._seen, self._last_change = done, now
        if (job.folder / DONE).exists():
            return True
        if self.process.poll() is not None:
            raise UserError(
                f"Lava's interpreter exited on its own (exit code {self.process.returncode})",
                remedy="see what it wrote with --debug",
            ) from LavaProcessError((job.folder / "worker.log").read_text(errors="replace"))
        where = f"(step {int(self._counters.min()) + 1} of {self.total})"
        if now - self._last_change > (step_limit if self._seen else max(START_SECONDS, step_limit)):
            raise UserError(
                f"Lava finished no step within {now - self._last_change:.0f} s {where}",
                where=self._slowest(),
                remedy="allow a longer step, or use a smaller network",
            )
        if now - self._start > total_limit:
            raise UserError(
                f"Lava took longer than {total_limit:.0f} s {where}", remedy="use fewer samples, or the fast engine"
            )
        return False

    def _slowest(self) -> str | None:
        """The population that stands a step behind the others, if it is one."""
        behind = np.flatnonzero(self._counters == self._counters.min())
        return list(self.job.network.populations)[behind[0]] if len(behind) == 1 else None


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
