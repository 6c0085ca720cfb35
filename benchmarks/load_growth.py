"""How cost grows with layers, neurons, steps and samples; see benchmarks/load.py.

    python -m benchmarks.load_growth layers 8      one point, in this process

One network: layers of 8 channels of 32 by 32 with 3 by 3 kernels, 8 steps, 4 samples; one of the four at a time is
another. Everything is spikes, at about the same rate in every layer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from dalif_deploy.hw_models.chip_network.form import (
    ChipInput,
    ChipNetwork,
    ChipOutput,
    Geometry,
    Population,
    Projection,
)
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.mapping import map_network
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate_chunks

USUAL = {"layers": 4, "neurons": 8 * 32 * 32, "steps": 8, "samples": 4}
POINTS = {
    "layers": [1, 2, 4, 8, 16, 32],
    "neurons": [8 * side * side for side in (8, 16, 32, 64, 128, 256)],  # of a layer
    "steps": [1, 2, 4, 8, 16, 32, 64],
    "samples": [1, 4, 16, 64, 256],
}
REPEATS = 2


def growth() -> dict[str, Any]:
    """All points, each in a process of its own, and the exponent of a power law through the larger half."""
    found: dict[str, Any] = {"usual": USUAL}
    for axis, values in POINTS.items():
        rows = []
        for value in values:
            command = [sys.executable, "-m", "benchmarks.load_growth", axis, str(value)]
            told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            rows.append({axis: value, **json.loads(told)})
            print(rows[-1], flush=True)
        kinds = [kind for kind in ("simulate", "count", "map", "bytes") if kind in rows[0]]
        found[axis] = {"rows": rows, "exponents": {kind: exponent(rows, axis, kind) for kind in kinds}}
        print(axis, found[axis]["exponents"], flush=True)
    return found


def exponent(rows: list[dict[str, Any]], axis: str, kind: str) -> float:
    """Slope of the line through the larger half of the points, both axes logarithmic."""
    larger = rows[len(rows) // 2 :]
    return float(np.polyfit(np.log([row[axis] for row in larger]), np.log([row[kind] for row in larger]), 1)[0])


def network(layers: int, neurons: int, steps: int) -> ChipNetwork:
    """`layers` convolutions of 8 channels."""
    rng = np.random.default_rng(0)
    side = round((neurons // 8) ** 0.5)
    made = ChipNetwork("loihi2", steps, {"input": ChipInput("input", (8, side, side), "spikes")}, {}, {}, {}, {})
    source = "input"
    for layer in range(layers):
        name, zero = f"layer{layer}", np.array(0)
        registers = (np.array(4095), np.array(400), np.array(150), zero, zero)
        made.populations[name] = Population(name, (8, side, side), *registers)
        weight = rng.integers(-60, 64, (8, 8, 3, 3)).astype(np.int16) * 2
        made.projections[f"to {name}"] = Projection(
            f"to {name}", source, name, weight, 0, Geometry((1, 1), (1, 1), (1, 1), 1)
        )
        source = name
    made.outputs["output"] = ChipOutput("output", source, "count")
    return made


def point(axis: str, value: int) -> dict[str, Any]:
    """Fastest of some runs, seconds: the simulator alone, with exact counts, and (of a network's size) the mapping."""
    import psutil
    import torch

    torch.set_num_threads(1)
    size = USUAL | {axis: value}
    made = network(size["layers"], size["neurons"], size["steps"])
    shape = (size["samples"], size["steps"], *made.inputs["input"].shape)
    spikes = (np.random.default_rng(1).random(shape, dtype=np.float32) < 0.2).astype(np.int32)
    encoded = EncodedInput(size["steps"], size["samples"], {"input": spikes})
    small = network(1, 512, 1)
    cost(small, EncodedInput(1, 1, {"input": np.ones((1, 1, 8, 8, 8), dtype=np.int32)}), mapped=True)  # loads libraries
    loaded = psutil.Process().memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # the largest resident set counts from here
    found = cost(made, encoded, mapped=axis in ("layers", "neurons"))
    status = Path("/proc/self/status").read_text()
    (peak,) = (int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return {**found, "bytes": max(peak - loaded, 1 << 20)}


def cost(made: ChipNetwork, encoded: EncodedInput, *, mapped: bool) -> dict[str, float]:
    """Seconds of each kind of work."""
    found = {
        "simulate": fastest(lambda: [None for _ in simulate_chunks(made, encoded, record=())]),
        "count": fastest(lambda: count_activity(made, encoded)),
    }
    return found | ({"map": fastest(lambda: map_network(made))} if mapped else {})


def fastest(run: Any) -> float:
    """Seconds; what else the machine does makes a run slower only."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(point(sys.argv[1], int(sys.argv[2]))))
