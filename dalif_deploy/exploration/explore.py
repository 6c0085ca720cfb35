"""A whole sweep: its points in worker processes, and the front among them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalif_deploy.exploration.front import mark_front
from dalif_deploy.exploration.grid import grid
from dalif_deploy.exploration.point import REFUSED, PointWork
from dalif_deploy.exploration.sweep_source import sweep_source
from dalif_deploy.exploration.workers import WorkerFailure, run_in_workers
from dalif_deploy.hw_models.errors import UserError


@dataclass
class Exploration:
    """What is swept, and over which samples.

    Attributes:
        source: a checkpoint, a NIR graph, or an exported folder that has kept one.
        data: NAME:SPLIT or a .npz file.
        values: of each key of `grid.sweep_keys`.
        limit: of samples.
        batch_size: samples counted at a time.
        workers: processes; by default as many as there are processor cores.
        device: of the simulator, see `chosen_device`.
    """

    source: Path
    data: str
    values: dict[str, list[Any]]
    limit: int | None = None
    batch_size: int | None = None
    data_root: Path | None = None
    workers: int | None = None
    device: str = "cpu"


def explore(
    asked: Exploration,
    *,
    progress: Callable[[int, int], None] | None = None,
    failed: Callable[[dict[str, Any], WorkerFailure], None] | None = None,
) -> dict[str, Any]:
    """Every combination of the values: exported, simulated, counted, mapped and modelled, as single runs would do it.

    Args:
        progress: called with the points done, and all.
        failed: called with a point's settings where a fault of the program or of the machine ended it.

    Returns:
        Plain figures: `points` in the order of the grid, each with its settings, `status` ("done", "does not fit",
        "not possible" or "failed") and, if there are any, its figures; `on_front` within its `scope`. The number of
        workers changes none of them.

    Raises:
        UserError: the source is missing; no point is possible, all for the same reason.
    """
    settings = grid(asked.values)
    cores = _processor_cores()
    workers = min(asked.workers or cores, len(settings))
    source = sweep_source(asked.source)
    points: list[dict[str, Any]] = [{}] * len(settings)
    with tempfile.TemporaryDirectory(prefix="dalif-sweep-") as folder:
        work = PointWork(
            source=source,
            data=asked.data,
            limit=asked.limit,
            batch_size=asked.batch_size,
            device=asked.device,
            data_root=asked.data_root,
            threads=max(1, cores // workers),
            folder=Path(folder),
        )
        for done, (index, result) in enumerate(run_in_workers(work, settings, workers), start=1):
            if isinstance(result, WorkerFailure):
                if failed:
                    failed(settings[index], result)
                result = {"settings": settings[index], "status": "failed", "why": result.what}
            points[index] = result
            if progress:
                progress(done, len(settings))
    _refuse_what_never_works(points)
    return {
        "report": "dalif-energy sweep",
        "version": 1,
        "source": str(asked.source),
        "data": asked.data,
        "swept": asked.values,
        "unit": "joules and seconds a sample",
        "points": mark_front(points),
    }


def _refuse_what_never_works(points: list[dict[str, Any]]) -> None:
    """A table that says the same in each row is one line."""
    reasons = {point["why"] for point in points if point["status"] == REFUSED}
    if len(reasons) == 1 and all(point["status"] == REFUSED for point in points):
        raise UserError(reasons.pop())


def _processor_cores() -> int:
    # a container or a batch system may give fewer than the machine has
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
