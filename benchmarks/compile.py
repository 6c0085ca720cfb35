"""How long a ResNet-19 at CIFAR size takes to compile, and how much memory; and that what comes out runs.

    python benchmarks/compile.py [--chip loihi1 --chip loihi2]

The network (Zheng et al., AAAI 2021, table 1): a 3x3 stem of 128 channels, 3 basic blocks of 128, 3 of 256 at half the
size, 2 of 512 at a quarter, the mean of each channel, fully connected layers of 256 and 10; LIF neurons behind each
layer, shortcuts added before them. Random weights with biases. Each chip compiles in an interpreter of its own; the
peak is that of the whole interpreter, torch included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import nir
import numpy as np

STEPS, DT = 4, 1e-4
BLOCKS = ((128, 1), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1), (512, 2), (512, 1))
SECONDS, GIBIBYTES = 10.0, 2.0  # what is claimed: at most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chip", action="append", choices=("loihi1", "loihi2"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(compile_once(arguments.child)))
        return 0
    holds = True
    for chip in arguments.chip or ("loihi1", "loihi2"):
        command = [sys.executable, __file__, "--child", chip]
        figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        holds &= figures["seconds"] < SECONDS and figures["peak"] < GIBIBYTES
        print(
            f"ResNet-19, {figures['neurons']:,} neurons, {figures['weights']:,} weights, for {chip}: compiled in "
            f"{figures['seconds']:.1f} s, peak {figures['peak']:.2f} GiB ({figures['imports']:.2f} GiB after the "
            f"imports, {figures['graph']:.2f} GiB with the graph)"
        )
        print(
            f"  one image, {STEPS} steps: simulated in {figures['simulation']:.1f} s; "
            f"{100 * figures['agreement']:.1f} % of the float reference's spikes in place, a layer at least "
            f"{100 * figures['least']:.1f} %; firing rate {figures['rate']:.3f}, float {figures['float_rate']:.3f}"
        )
    return 0 if holds else 1


def compile_once(chip: str) -> dict:
    from dalif_deploy.hw_models.compiler import compile_graph

    imports = peak()
    graph = resnet19(np.random.default_rng(0))
    with_graph = peak()
    began = time.perf_counter()
    network = compile_graph(graph, chip=chip, steps=STEPS, dt=DT, input_mode="bias").network
    seconds, highest = time.perf_counter() - began, peak()
    return {
        "seconds": seconds,
        "imports": imports,
        "graph": with_graph,
        "peak": highest,
        "neurons": sum(p.size for p in network.populations.values()),
        "weights": sum(p.weight.size for p in network.projections.values()),
        **simulated(network, graph),
    }


def peak() -> float:
    """Largest resident memory so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def simulated(network, graph: nir.NIRGraph) -> dict:
    """One image through the simulator, against the float reference: the share of spikes that agree, a layer."""
    from dalif_deploy.hw_models.reference import run_reference
    from dalif_deploy.hw_models.samples.encode import encode_input
    from dalif_deploy.hw_models.simulator import simulate

    image = np.random.default_rng(1).random((1, 3, 32, 32))
    began = time.perf_counter()
    ours = simulate(network, encode_input(network, image), record=("spikes",)).spikes
    seconds = time.perf_counter() - began
    theirs = run_reference(graph, image, dt=DT, steps=STEPS, record=("spikes",)).spikes
    agreement = {name: overlap(ours[name], spikes) for name, spikes in theirs.items()}
    fired, float_fired = (sum(int(each[name].sum()) for name in theirs) for each in (ours, theirs))
    chances = sum(each.size for each in theirs.values())
    return {
        "simulation": seconds,
        "agreement": sum(overlap(ours[n], s) * int(s.sum()) for n, s in theirs.items()) / float_fired,
        "least": min(agreement.values()),
        "rate": fired / chances,
        "float_rate": float_fired / chances,
    }


def overlap(ours: np.ndarray, theirs: np.ndarray) -> float:
    return int((ours.astype(bool) & theirs.astype(bool)).sum()) / max(1, int(theirs.sum()))


class Graph:
    """Nodes and edges as they come."""

    def __init__(self, rng: np.random.Generator):
        self.rng, self.nodes, self.edges = rng, {}, []

    def add(self, name: str, node: nir.NIRNode, *sources: str) -> str:
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def conv(self, name: str, source: str, inputs: int, outputs: int, size: int, kernel: int, stride: int) -> str:
        # inputs fire at about a fifth: gains that keep the spikes alive through all layers
        weight = self.rng.normal(0, 2 / np.sqrt(inputs * kernel**2), (outputs, inputs, kernel, kernel))
        bias = self.rng.normal(0.1, 0.1, outputs)
        padding = kernel // 2
        return self.add(name, nir.Conv2d((size, size), weight, stride, padding, 1, 1, bias), source)

    def lif(self, name: str, shape: tuple[int, ...], *sources: str) -> str:
        tau = np.full(shape, 2 * DT)
        zero = np.zeros(shape)
        return self.add(name, nir.LIF(tau, tau / DT, zero, np.ones(shape), v_reset=zero), *sources)


def resnet19(rng: np.random.Generator) -> nir.NIRGraph:
    """The graph; see above."""
    g = Graph(rng)
    channels, size = 128, 32
    g.add("input", nir.Input({"input": np.array([3, size, size])}))
    last = g.lif("stem", (channels, size, size), g.conv("stem.conv", "input", 3, channels, size, 3, 1))
    for index, (width, stride) in enumerate(BLOCKS, start=1):
        name, half = f"block{index}", size // stride
        first = g.conv(f"{name}a.conv", last, channels, width, size, 3, stride)
        first = g.lif(f"{name}a", (width, half, half), first)
        second = g.conv(f"{name}b.conv", first, width, width, half, 3, 1)
        same = stride == 1 and width == channels
        shortcut = last if same else g.conv(f"{name}.shortcut", last, channels, width, size, 1, stride)
        last = g.lif(f"{name}b", (width, half, half), second, shortcut)
        channels, size = width, half
    g.add("pool", nir.AvgPool2d(np.array([size, size]), np.array([size, size]), np.array([0, 0])), last)
    g.add("flatten", nir.Flatten({"input": np.array([channels, 1, 1])}, 0, -1), "pool")
    weight = rng.normal(0, 4 / np.sqrt(channels), (256, channels))
    g.add("fc.weights", nir.Affine(weight, rng.normal(0.1, 0.1, 256)), "flatten")
    g.lif("fc", (256,), "fc.weights")
    g.add("readout", nir.Affine(rng.normal(0, 1 / 16, (10, 256)), rng.normal(0, 0.1, 10)), "fc")
    g.add("output", nir.Output({"output": np.array([10])}), "readout")
    return nir.NIRGraph(g.nodes, g.edges, metadata={"dt": DT, "steps": STEPS}, type_check=False)


if __name__ == "__main__":
    sys.exit(main())
