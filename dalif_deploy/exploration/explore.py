"""A whole sweep: its points in worker processes, and the front among them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalif_deploy.converters.file_digest import file_digest
from dalif_deploy.exploration.front import mark_front
from dalif_deploy.exploration.grid import grid
from dalif_deploy.exploration.journal import Journal, journal_file, key, remove_journal
from dalif_deploy.exploration.point import REFUSED, PointWork
from dalif_deploy.exploration.sweep_source import SweepSource, sweep_source
from dalif_deploy.hw_models.devices import processor_cores
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.sharding.cluster import open_cluster
from dalif_deploy.sharding.workers import WorkerFailure, run_in_workers
from dalif_deploy.zoo import zoo_file


@dataclass
class Exploration:
    """What is swept, and over which samples.

    Attributes:
        source: a checkpoint, "zoo:NAME", a NIR graph, or an exported folder that has kept one.
        data: NAME:SPLIT or a .npz file.
        values: of each key of `grid.sweep_keys`.
        limit: of samples.
        batch_size: samples counted at a time.
        workers: processes; by default as many as there are processor cores.
        device: of the simulator, see `chosen_device`.
        cluster: in place of them: `local:N` or a scheduler's address, see `dalif_deploy.sharding.cluster`.
        result: the file that the figures are meant for; beside it points are kept as they come, see `journal`.
        resume: takes the points that are kept there, and does the others.
        force: begins anew where points are kept.
    """

    source: Path
    data: str
    values: dict[str, list[Any]]
    limit: int | None = None
    batch_size: int | None = None
    data_root: Path | None = None
    workers: int | None = None
    device: str = "cpu"
    cluster: str | None = None
    result: Path | None = None
    resume: bool = False
    force: bool = False


def explore(
    asked: Exploration,
    *,
    progress: Callable[[int, int], None] | None = None,
    came: Callable[[dict[str, Any]], None] | None = None,
    failed: Callable[[dict[str, Any], WorkerFailure], None] | None = None,
) -> dict[str, Any]:
    """Every combination of the values: exported, simulated, counted, mapped and modelled, as single runs would do it.

    Args:
        progress: called with the points done, and all.
        came: called with each point's figures as it ends.
        failed: called with a point's settings where a fault of the program or of the machine ended it.

    Returns:
        Plain figures: `points` in the order of the grid, each with its settings, `status` ("done", "does not fit",
        "not possible" or "failed") and, if there are any, its figures; `on_front` within its `scope`. Neither the
        number of workers, nor a cluster, nor an interruption changes any of them.

    Raises:
        UserError: the source is missing; no point is possible, all for the same reason; no such cluster; nothing to
            resume, or another sweep.
    """
    settings = grid(asked.values)
    file = zoo_file(asked.source)
    source = sweep_source(file.absolute() if asked.cluster else file)
    digest = file_digest(source.file)
    journal = _journal(asked, source, digest)
    kept = {} if journal is None else journal.points
    points: list[dict[str, Any]] = [kept.get(key(each), {}) for each in settings]
    left = [index for index, point in enumerate(points) if not point]
    done = len(points) - len(left)
    try:
        if progress:
            progress(done, len(points))
        for index, result in _results(asked, source, digest, settings, left):
            if isinstance(result, WorkerFailure):
                if failed:
                    failed(settings[index], result)
                result = {"settings": settings[index], "status": "failed", "why": result.what}
            elif journal is not None:
                journal.add(result)
            points[index] = result
            if came:
                came(result)
            done += 1
            if progress:
                progress(done, len(points))
    finally:
        if journal is not None:
            journal.close()
    _refuse_what_never_works(points, asked.result)
    return {
        "report": "dalif-energy sweep",
        "version": 1,
        "source": str(asked.source),
        "data": asked.data,
        "swept": asked.values,
        "unit": "joules and seconds a sample",
        "points": mark_front(points),
    }


def _results(
    asked: Exploration, source: SweepSource, digest: str, settings: list[dict[str, Any]], left: list[int]
) -> Iterator[tuple[int, Any | WorkerFailure]]:
    """(index, figures) of the points that are left, as they end."""
    if not left:
        return
    cores = processor_cores()
    with ExitStack() as stack:
        threads: int | None
        if asked.cluster is None:
            workers, cluster = min(asked.workers or cores, len(left)), None
            threads = max(1, cores // workers)
            folder: Path | None = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dalif-sweep-")))
        else:
            cluster = stack.enter_context(open_cluster(asked.cluster))
            folder = cluster.folder
            threads = None if folder is None else max(1, cores // cluster.processes)
        work = PointWork(
            source=source,
            digest=digest,
            data=_absolute(asked.data) if cluster else asked.data,
            limit=asked.limit,
            batch_size=asked.batch_size,
            device=asked.device,
            data_root=asked.data_root and asked.data_root.absolute(),
            threads=threads,
            folder=folder,
        )
        tasks = [settings[index] for index in left]
        running = run_in_workers(work, tasks, workers) if cluster is None else cluster.run(work, tasks)
        for number, result in running:
            yield left[number], result


def _journal(asked: Exploration, source: SweepSource, digest: str) -> Journal | None:
    if asked.result is None:
        return None
    from dalif_deploy import __version__

    data = Path(asked.data)
    size_and_time = [data.stat().st_size, data.stat().st_mtime_ns] if data.is_file() else None
    of = {
        "sweep of": digest,
        "settings": source.settings,
        "dt": source.dt,
        "data": asked.data,
        "data file": size_and_time,
        "limit": asked.limit,
        "batch size": asked.batch_size,
        "version": __version__,
    }
    return Journal(journal_file(asked.result), of, resume=asked.resume, force=asked.force)


def _absolute(data: str) -> str:
    """NAME:SPLIT as it is; processes of a cluster have working folders of their own."""
    return str(Path(data).absolute()) if Path(data).is_file() else data


def _refuse_what_never_works(points: list[dict[str, Any]], result: Path | None) -> None:
    """A table that says the same in each row is one line."""
    reasons = {point["why"] for point in points if point["status"] == REFUSED}
    if len(reasons) == 1 and all(point["status"] == REFUSED for point in points):
        remove_journal(result)
        raise UserError(reasons.pop())
