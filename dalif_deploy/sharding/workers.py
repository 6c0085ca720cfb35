"""Tasks in processes of their own. One that dies is told and replaced, and takes no other task with it."""

from __future__ import annotations

import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from dalif_deploy.sharding.processes import interrupts_ignored, process_context

PATIENCE = 5.0  # seconds that a process has to end by itself


@dataclass(frozen=True)
class WorkerFailure:
    """A task without a result: what happened in a line, and the traceback if there is one."""

    what: str
    trace: str = ""


def failure_of(error: BaseException) -> WorkerFailure:
    """What is told of an error that ended a task."""
    trace = "".join(traceback.format_exception(error))
    return WorkerFailure(" ".join(f"{type(error).__name__}: {error}".split()), trace)


def run_in_workers(
    work: Callable[[Any], Any], tasks: list[Any], workers: int
) -> Iterator[tuple[int, Any | WorkerFailure]]:
    """(index of the task, what `work` gave for it or a WorkerFailure), in the order in which they end.

    Leaving the iteration early, as Ctrl-C does, ends the processes. `work` and what it gives must be picklable; each
    process has its own copy.
    """
    waiting = deque(enumerate(tasks))
    pool: list[_Worker] = []
    try:
        while waiting or any(worker.task is not None for worker in pool):
            for worker in pool:
                if worker.task is None and waiting:
                    worker.give(*waiting.popleft())
            while waiting and len(pool) < workers:
                pool.append(_Worker(work))
                pool[-1].give(*waiting.popleft())
            ready = wait([worker.connection for worker in pool if worker.task is not None])
            for worker in [worker for worker in pool if worker.connection in ready]:
                index, result = worker.take()
                if not worker.alive:
                    pool.remove(worker)
                    worker.end()
                yield index, result
    finally:
        for worker in pool:
            worker.end()


class _Worker:
    def __init__(self, work: Callable[[Any], Any]):
        context = process_context()
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        with interrupts_ignored():
            self.process.start()
        theirs.close()  # so that its end is seen when it dies
        self.task: int | None = None
        self.alive = True

    def give(self, index: int, task: Any) -> None:
        self.task = index
        with suppress(OSError):  # it died: take() says so
            self.connection.send(task)

    def take(self) -> tuple[int, Any]:
        index, self.task = self.task, None
        assert index is not None
        try:
            return index, self.connection.recv()
        except (EOFError, OSError):
            self.alive = False
            self.process.join(PATIENCE)
            return index, WorkerFailure(_how_it_ended(self.process.exitcode))

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    while True:
        try:
            task = connection.recv()
        except EOFError:  # nobody asks any more
            return
        try:
            result = work(task)
        except Exception as error:
            result = failure_of(error)
        connection.send(result)


def _how_it_ended(code: int | None) -> str:
    if code is None or code >= 0:
        return f"the worker process ended (exit code {code})"
    name = signal.Signals(-code).name
    memory = ", perhaps for want of memory: try fewer --workers" if name == "SIGKILL" else ""
    return f"the worker process was ended by {name}{memory}"
