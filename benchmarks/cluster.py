"""What `--cluster local:N` costs beside `--workers N`: the same sweep in turn with workers, on the cluster, and on the
cluster with a process killed twice; and the price of a shard.

python -m benchmarks.cluster MODEL.pt --data digits:train --rounds 3
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from dalif_deploy.exploration.explore import Exploration, explore
from dalif_deploy.exploration.grid import grid, parse_sweep
from dalif_deploy.sharding.cluster import Cluster, open_cluster

SWEEP = ["weight-bits=3,4,5,6,7,8", "steps=4,8", "chip=loihi1,loihi2"]
SIZES = {"a number": 0, "1 MB": 1 << 20}
SHARDS = 300
WAYS = ["workers", "cluster", "killed"]
KILLED_AFTER = (5, 12)  # points done; then a process that has work is killed
PR_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h


def give_back(size: int) -> bytes:
    """The cheapest shard there is, with a result of that many bytes."""
    return bytes(size)


def sweep(model: Path, data: str, way: str, processes: int, result: Path) -> None:
    """One sweep, in this process and those that it starts."""
    kills = list(KILLED_AFTER) if way == "killed" else []

    def kill(done: int, total: int) -> None:
        if kills and done >= kills[0]:
            kills.pop(0)
            busy = [p for p in psutil.Process().children(recursive=True) if p.ppid() != os.getpid()]
            busy[0].kill()

    where: dict[str, Any] = {"workers": processes} if way == "workers" else {"cluster": f"local:{processes}"}
    found = explore(Exploration(model, data, parse_sweep(SWEEP), **where), progress=kill)
    if kills:
        raise SystemExit("not every process was killed that should be")
    result.write_text(json.dumps(found), encoding="utf-8")


def measured(model: Path, data: str, way: str, processes: int) -> tuple[float, float, str]:
    """Seconds by the clock, seconds of processors and the result of a sweep in a process of its own.

    Whoever outlives its parent is handed to this process, so the seconds of every process are counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        words = [str(model), "--data", data, "--processes", str(processes), "--one", way, "--result", str(result)]
        used, began = seconds_of_children(), time.perf_counter()
        subprocess.run([sys.executable, "-W", "ignore", "-m", "benchmarks.cluster", *words], check=True)
        clock = time.perf_counter() - began
        with suppress(ChildProcessError):
            while True:
                os.wait()
        return clock, seconds_of_children() - used, result.read_text(encoding="utf-8")


def seconds_of_children() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def adopt_orphans() -> None:
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("processes that outlive their parents can't be counted here")


def compare_sweeps(model: Path, data: str, processes: int, rounds: int) -> None:
    adopt_orphans()
    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    results = set()
    for turn in range(rounds):
        for way in WAYS[turn % len(WAYS) :] + WAYS[: turn % len(WAYS)]:
            clock, used, result = measured(model, data, way, processes)
            seconds[way].append((clock, used))
            results.add(result)
            print(f"{way}: {clock:.1f} s by the clock, {used:.1f} s of processors", flush=True)
    points = len(grid(parse_sweep(SWEEP)))
    print(f"{points} points, {processes} processes, {rounds} rounds; {len(results)} different results")
    for number, what in enumerate(("seconds by the clock", "seconds of processors")):
        for way in WAYS[1:]:
            ratios = [c[number] / w[number] for w, c in zip(seconds["workers"], seconds[way], strict=True)]
            least = [min(each[number] for each in seconds[name]) for name in ("workers", way)]
            told = ", ".join(f"{ratio:.3f}" for ratio in ratios)
            print(f"{what}: workers {least[0]:.1f}, {way} {least[1]:.1f} (least of each); ratios {told}, ", end="")
            print(f"median {statistics.median(ratios):.3f}, of the least {least[1] / least[0]:.3f}")


def price_of_a_shard(cluster: Cluster) -> None:
    list(cluster.run(give_back, [0] * 10))
    for what, size in SIZES.items():
        began, used = time.perf_counter(), time.process_time()
        list(cluster.run(give_back, [size] * SHARDS))
        wall, own = time.perf_counter() - began, time.process_time() - used
        print(f"a shard that gives {what}: {1e3 * wall / SHARDS:.2f} ms, {1e3 * own / SHARDS:.2f} ms of this process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", default="digits:train")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=WAYS, help="a single sweep, in this process")
    parser.add_argument("--result", type=Path, help="of --one")
    asked = parser.parse_args()
    if asked.one:
        sweep(asked.model, asked.data, asked.one, asked.processes, asked.result)
        return
    compare_sweeps(asked.model, asked.data, asked.processes, asked.rounds)  # first: it waits for every child
    began, used = time.perf_counter(), time.process_time()
    with open_cluster(f"local:{asked.processes}") as cluster:
        own = time.process_time() - used
        print(f"start: {time.perf_counter() - began:.1f} s, {own:.1f} s of this process")
        price_of_a_shard(cluster)


if __name__ == "__main__":
    main()
