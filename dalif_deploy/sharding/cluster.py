"""A job over shards in the processes of a Dask cluster; a shard whose process dies is done again by another one.

Nothing else of dalif_deploy knows Dask. What `Cluster.run` gives is what `workers.run_in_workers` gives.
"""

from __future__ import annotations

import logging
import pickle
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.sharding.processes import process_context, start_method
from dalif_deploy.sharding.workers import WorkerFailure, failure_of

LOCAL = "local:"
ABOUT = "local:N starts N processes here, an address (tcp://HOST:8786) is that of a Dask scheduler"
PATIENCE = "10s"  # for a scheduler to answer
AHEAD = 2  # shards a process that are handed out: one in work, one at hand when it is done
# of processes started here
SETTINGS = {
    "distributed.worker.daemon": False,  # a shard may start processes of its own, as Lava does
    "distributed.scheduler.http.routes": [],  # its pages would tell everybody what runs
    "distributed.worker.http.routes": [],
    # what watches the processes for a dashboard that is not there, up to a hundred times a second
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,  # gives memory back all the time
}
_ONE_AT_A_TIME = threading.Lock()  # a process with several threads is given several shards


class Cluster:
    """Processes that take shards, made by `open_cluster`.

    Attributes:
        address: of the scheduler.
        folder: temporary, where all processes and this one see it; None where they may be on other machines.
    """

    def __init__(self, client: Any, place: str, folder: Path | None):
        self._client, self._place, self.folder = client, place, folder
        self.address: str = client.scheduler.address

    @property
    def processes(self) -> int:
        """How many there are now; 1 where none has come yet."""
        return max(1, len(self._client.nthreads()))

    def run(self, work: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[tuple[int, Any | WorkerFailure]]:
        """(index of the task, what `work` gave for it or a WorkerFailure), in the order in which they end.

        A task whose process dies is given to another one, three times; then it is a WorkerFailure. Tasks are taken as
        processes come free, so their memory does not grow with their number. Leaving the iteration early takes back
        what was not begun.

        Args:
            work: picklable, importable on every machine; each process keeps one copy for all its tasks.

        Raises:
            UserError: the scheduler went away.
        """
        from dask.distributed import as_completed

        from dalif_deploy import __version__

        order = pickle.dumps(work)
        waiting = enumerate(tasks)
        running = as_completed(loop=self._client.loop)
        indices: dict[Any, int] = {}

        def hand_out() -> None:
            for index, task in islice(waiting, max(0, AHEAD * self.processes - len(indices))):
                future = self._client.submit(_do, order, task, __version__, pure=False)
                indices[future] = index
                running.add(future)

        try:
            hand_out()
            while indices:
                future = next(running)
                if future.status in ("lost", "pending"):  # its process died with the result: it is done once more
                    running.add(future)
                    continue
                result = self._result(future)
                index = indices.pop(future)
                hand_out()
                yield index, result
        finally:
            if indices and self._client.status == "running":
                self._client.cancel(list(indices))

    def _result(self, future: Any) -> Any | WorkerFailure:
        from concurrent.futures import CancelledError

        from dask.distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            deaths = error.allowed_failures + 1
            return WorkerFailure(f"{deaths} processes died of it, the last one at {error.last_worker.address}")
        except CancelledError as error:  # by nobody here
            raise UserError("the scheduler is gone", where=self._place, remedy="start it again") from error
        except Exception as error:
            return failure_of(error)


@contextmanager
def open_cluster(place: str) -> Iterator[Cluster]:
    """The cluster at an address, or N processes on this machine for `local:N`, which end with the block.

    Raises:
        UserError: Dask is not installed, no such place, nothing answers there.
    """
    count = _local_processes(place)
    if count is not None:
        process_context("distributed")  # it imports while this process imports Dask itself
    try:
        from dask import config
        from dask.distributed import Client, LocalCluster
        from distributed.security import Security
    except ImportError as error:
        what = f"--cluster needs Dask ({error.name} is not installed)"
        raise UserError(what, remedy="pip install 'dalif-deploy[cluster]'") from error
    with ExitStack() as stack:
        folder = None
        stack.enter_context(_quiet())
        if count is None:
            client = _connected(Client, place)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dalif-cluster-")))
            stack.enter_context(config.set(SETTINGS))
            stack.enter_context(config.set({"distributed.worker.multiprocessing-method": start_method()}))
            # whoever may talk to a scheduler may run code as its owner, and others may share this machine
            security = Security.temporary()
            local = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                memory_limit=0,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                security=security,
                local_directory=str(folder),
                silence_logs=logging.CRITICAL,
            )
            stack.enter_context(local)
            client = Client(local, set_as_default=False)
        stack.enter_context(client)
        yield Cluster(client, place, folder)


def _local_processes(place: str) -> int | None:
    """N of `local:N`; None for an address."""
    if not place.startswith(LOCAL):
        return None
    number = place.removeprefix(LOCAL)
    if not number.isdecimal() or int(number) < 1:
        raise UserError(f"{place!r} is no number of processes", where="--cluster", remedy=ABOUT)
    return int(number)


def _connected(client: Any, address: str) -> Any:
    try:
        return client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:  # of both: no such host, nobody there, no address at all
        why = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"no scheduler answers ({why})", where=f"--cluster {address}", remedy=ABOUT) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask logs what is told here in its own words: deaths, lost connections."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _do(order: bytes, task: Any, version: str) -> Any | WorkerFailure:
    """One task, in a process of the cluster."""
    from dalif_deploy import __version__

    if version != __version__:
        return WorkerFailure(f"the cluster has dalif-deploy {__version__}, this command is of {version}")
    with _ONE_AT_A_TIME:
        try:
            return _work(order)(task)
        except Exception as error:
            return failure_of(error)


@lru_cache(maxsize=1)
def _work(order: bytes) -> Any:
    return pickle.loads(order)
