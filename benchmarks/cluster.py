"""What `--cluster local:N` costs beside `--workers N`: the same sweep both ways in turn, and the price of a shard.

python -m benchmarks.cluster MODEL.pt --data digits:test --rounds 3
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from pathlib import Path
from typing import Any

from dalif_deploy.exploration.explore import Exploration, explore
from dalif_deploy.exploration.grid import grid, parse_sweep
from dalif_deploy.sharding.cluster import Cluster, open_cluster

SWEEP = ["weight-bits=3,4,5,6,7,8", "steps=1,2", "chip=loihi1,loihi2"]
SIZES = {"a number": 0, "1 MB": 1 << 20}
SHARDS = 300


def give_back(size: int) -> bytes:
    """The cheapest shard there is, with a result of that many bytes."""
    return bytes(size)


def processor_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measured(asked: Exploration) -> tuple[float, float, str]:
    began, used = time.perf_counter(), processor_seconds()
    found = explore(asked)
    return time.perf_counter() - began, processor_seconds() - used, json.dumps(found)


def compare_sweeps(model: Path, data: str, processes: int, rounds: int) -> None:
    values = parse_sweep(SWEEP)
    ways: dict[str, dict[str, Any]] = {
        "workers": {"workers": processes},
        "cluster": {"cluster": f"local:{processes}"},
    }
    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    results = set()
    for turn in range(rounds):
        for way in sorted(ways, reverse=bool(turn % 2)):
            wall, used, result = measured(Exploration(model, data, values, **ways[way]))
            seconds[way].append((wall, used))
            results.add(result)
    print(f"{len(grid(values))} points, {processes} processes, {rounds} rounds; {len(results)} different results")
    for number, what in enumerate(("seconds by the clock", "seconds of processors")):
        ratios = [c[number] / w[number] for w, c in zip(seconds["workers"], seconds["cluster"], strict=True)]
        best = [min(each[number] for each in seconds[way]) for way in ways]
        told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{what}: workers {best[0]:.1f}, cluster {best[1]:.1f} (least of each); ratios {told}, ", end="")
        print(f"median {statistics.median(ratios):.3f}, of the least {best[1] / best[0]:.3f}")


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
    parser.add_argument("--data", default="digits:test")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    began, used = time.perf_counter(), time.process_time()
    with open_cluster(f"local:{asked.processes}") as cluster:
        own = time.process_time() - used
        print(f"start: {time.perf_counter() - began:.1f} s, {own:.1f} s of this process")
        price_of_a_shard(cluster)
    compare_sweeps(asked.model, asked.data, asked.processes, asked.rounds)


if __name__ == "__main__":
    main()
