"""From how many samples on building a network as C pays, against the batched simulator that is there at once.

    python benchmarks/c_break_even.py [--data digits fashion-mnist] [--samples 256]

Seconds of the processor, the compiler's included, on one thread; the least of several turns.
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from collections.abc import Callable

import torch
from simulate import briefly_trained, run_simulator

from dalif_deploy.converters.c.run import CNetwork
from dalif_deploy.converters.dalif_to_nir import network_to_nir
from dalif_deploy.data import load_data
from dalif_deploy.hw_models.compiler import compile_graph
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.samples.encode import encode_input

RECORDS: dict[str, tuple[str, ...]] = {"spikes": ("spikes",), "spikes and membranes": ("spikes", "membrane")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["digits", "fashion-mnist"])
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.data:
        measure(name, arguments.samples, arguments.turns)


def measure(data: str, samples: int, turns: int) -> None:
    training = load_data(f"{data}:train")
    network = briefly_trained(data, training)
    graph = network_to_nir(network, input_step=training.step)
    compiled = compile_graph(
        graph, chip="loihi2", steps=network.steps, dt=1e-4, input_mode="graded", input_step=training.step
    ).network
    encoded = encode_input(compiled, load_data(f"{data}:test").inputs[:samples])
    build = least(lambda: CNetwork(compiled, cache=False), 2)
    built = CNetwork(compiled)
    kept = least(lambda: CNetwork(compiled), turns)
    print(f"{data}: building takes {build:.2f} s, taking what was built {kept:.2f} s")
    for what, record in RECORDS.items():
        simulator = least(lambda r=record: run_simulator(compiled, encoded, r), turns) / encoded.samples
        c = least(lambda r=record: built.run(encoded, r, threads=1), turns) / encoded.samples
        gain = simulator - c
        print(
            f"  {what}: simulator {1e3 * simulator:.3f} ms a sample, C {1e3 * c:.3f}; pays from "
            f"{pays(build, gain)} samples on, {pays(kept, gain)} where it was built before"
        )
    counts = least(lambda: count_activity(compiled, encoded), turns) / encoded.samples
    print(f"  counts of dalif-energy: {1e3 * counts:.3f} ms a sample, the simulator's included")


def pays(cost: float, gain: float) -> str:
    return f"{math.ceil(cost / gain):,}" if gain > 0 else "no number of"


def least(run: Callable[[], object], turns: int) -> float:
    found = []
    for _ in range(turns):
        began = seconds()
        run()
        found.append(seconds() - began)
    return min(found)


def seconds() -> float:
    """Of this process and of the compilers that it ran."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
