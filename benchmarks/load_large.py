"""A network of ten million neurons and a billion synaptic operations a step; one part of `benchmarks.load large`.

python -m benchmarks.load_large build|simulate|loihi1|loihi2|report
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
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
from dalif_deploy.hw_models.energy.fan_out import fan_out
from dalif_deploy.hw_models.errors import CheckFailed
from dalif_deploy.hw_models.samples.recording import EncodedInput

CHANNELS, SIDE, LAYERS, KERNEL, STEPS = 32, 256, 5, 5, 4


def large_network(chip: str = "loihi2") -> ChipNetwork:
    """Five layers of 32 channels of 256 by 256, 5 by 5 kernels: 10,485,760 neurons."""
    rng = np.random.default_rng(0)
    shape = (CHANNELS, SIDE, SIDE)
    network = ChipNetwork(chip, STEPS, {"input": ChipInput("input", (2, SIDE, SIDE), "spikes")}, {}, {}, {}, {})
    source, channels = "input", 2
    for layer in range(LAYERS):
        name = f"layer{layer + 1}"
        zero = np.array(0)
        # thresholds that keep a sixth to a third of the neurons firing
        threshold = np.array(200 if layer == 0 else 500)
        network.populations[name] = Population(name, shape, np.array(4095), np.array(400), threshold, zero, zero)
        weight = rng.integers(-60, 64, (CHANNELS, channels, KERNEL, KERNEL)).astype(np.int16) * 2
        geometry = Geometry((1, 1), (KERNEL // 2,) * 2, (1, 1), 1)
        network.projections[f"to {name}"] = Projection(f"to {name}", source, name, weight, 0, geometry)
        source, channels = name, CHANNELS
    network.outputs["output"] = ChipOutput("output", source, "count")
    return network


def build() -> dict[str, Any]:
    network = large_network()
    synapses = {n: int(fan_out(p.weight != 0, p.geometry, network.source_shape(p.source)).sum())
                for n, p in network.projections.items()}  # fmt: skip
    return {"neurons": sum(p.size for p in network.populations.values()), "synapses": sum(synapses.values())}


def some_input(network: ChipNetwork) -> EncodedInput:
    """One sample, a fifth of the pixels at each step."""
    shape = (1, STEPS, *network.inputs["input"].shape)
    spikes = (np.random.default_rng(1).random(shape) < 0.2).astype(np.int32)
    return EncodedInput(STEPS, 1, {"input": spikes})


def run() -> dict[str, Any]:
    import torch

    from dalif_deploy.hw_models.energy.counts import count_activity

    torch.set_num_threads(1)
    network = large_network()
    encoded = some_input(network)
    began = time.monotonic()
    counts = count_activity(network, encoded)
    return {
        "steps": STEPS,
        "run_seconds": time.monotonic() - began,
        "synaptic_operations_a_step": float(counts.synaptic_operations().sum() / STEPS),
        "spikes_a_step": {name: float(p.spikes.sum() / STEPS) for name, p in counts.populations.items()},
    }


def mapped(chip: str) -> dict[str, Any]:
    from dalif_deploy.hw_models.mapping import map_network

    network = large_network(chip)
    began = time.monotonic()
    try:
        mapping = map_network(network)
    except CheckFailed as refusal:
        return {"refused": str(refusal), "map_seconds": time.monotonic() - began}
    return {
        "cores": len(mapping.cores),
        "chips": mapping.chips,
        "bound_by": mapping.binding_limit(),
        "map_seconds": time.monotonic() - began,
    }


def report() -> dict[str, Any]:
    """The whole energy report: mapping by what spiked, counts on it, latency of each step's busiest core."""
    import torch

    from dalif_deploy.hw_models.energy.counts import count_activity
    from dalif_deploy.hw_models.energy.report import energy_report
    from dalif_deploy.hw_models.mapping import map_or_refusal

    torch.set_num_threads(1)
    network = large_network()
    encoded = some_input(network)
    began = time.monotonic()
    mapping, refusal = map_or_refusal(network, encoded)
    counts = count_activity(network, encoded, mapping=mapping)
    made = energy_report(network, encoded, counts, measured=[], does_not_fit=refusal)
    latency = made.latency
    return {
        "report_seconds": time.monotonic() - began,
        "messages": made.mapping.traffic.model_dump() if made.mapping.status == "fits" else None,
        "longest_step_seconds": latency and latency.longest_step,
    }


if __name__ == "__main__":
    (part,) = sys.argv[1:]
    parts: dict[str, Callable[[], dict[str, Any]]] = {"build": build, "simulate": run, "report": report}
    print(json.dumps(parts[part]() if part in parts else mapped(part)))
