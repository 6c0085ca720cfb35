"""How long it takes to map ResNet-19 at CIFAR size (128 to 512 channels, random 8-bit weights) onto each chip.

    python benchmarks/mapping.py [--chip loihi1|loihi2]

The network is built here, without training; whoever has an exported one can give its network.nir instead (--network).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipInput, ChipNetwork, Geometry, Population, Projection
from dalif_deploy.hw_models.chips.names import chip_names
from dalif_deploy.hw_models.errors import CheckFailed
from dalif_deploy.hw_models.mapping import map_network
from dalif_deploy.hw_models.mapping.traffic import traffic_of_a_spike

ALLOWED_SECONDS = 60


def resnet19() -> ChipNetwork:
    rng = np.random.default_rng(0)
    network = ChipNetwork("", 4, {"input": ChipInput("input", (3, 32, 32), "spikes")}, {}, {}, {}, {})

    def add(name: str, shape: tuple[int, ...], *sources: tuple[str, int, int, int]) -> str:
        zero = np.array(0)
        network.populations[name] = Population(name, shape, np.array(4095), zero, np.array(200), zero, zero)
        for source, kernel, stride, groups in sources:
            come = network.source_shape(source)
            if kernel:
                size, geometry = (
                    (shape[0], come[0] // groups, kernel, kernel),
                    Geometry((stride, stride), (kernel // 2,) * 2, (1, 1), groups),
                )
            else:
                size, geometry = (int(np.prod(shape)), int(np.prod(come))), None
            weight = rng.integers(-127, 128, size) * 2
            network.projections[f"{source}-{name}"] = Projection(f"{source}-{name}", source, name, weight, 0, geometry)
        return name

    last = add("stem", (128, 32, 32), ("input", 3, 1, 1))
    for stage, (channels, side, blocks) in enumerate(((128, 32, 3), (256, 16, 3), (512, 8, 2))):
        for block in range(blocks):
            before, stride = last, 2 if stage and not block else 1
            shape = (channels, side, side)
            middle = add(f"stage{stage}.{block}a", shape, (before, 3, stride, 1))
            skip = (before, 1, stride, 1 if stride == 2 else channels)
            last = add(f"stage{stage}.{block}b", shape, (middle, 3, 1, 1), skip)
    add("readout", (10,), (add("dense", (256,), (last, 0, 1, 1)), 0, 1, 1))
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chip", choices=chip_names(), help="this chip only")
    parser.add_argument("--network", help="a network.nir written by dalif-export --target lava")
    arguments = parser.parse_args()
    if arguments.network:
        from dalif_deploy.hw_models.chip_network.file import read_chip_network

        network = read_chip_network(arguments.network)
    else:
        network = resnet19()
    slow = []
    for name in [arguments.chip] if arguments.chip else chip_names():
        network.chip = name
        begin = time.perf_counter()
        try:
            found = map_network(network)
        except CheckFailed as refusal:
            print(f"{name}: {time.perf_counter() - begin:.1f} s, {refusal}")
            continue
        mapped = time.perf_counter() - begin
        traffic_of_a_spike(found)
        total = time.perf_counter() - begin
        slow += [name] if mapped > ALLOWED_SECONDS else []
        print(
            f"{name}: mapped in {mapped:.1f} s, messages and hops of a spike of each neuron in {total - mapped:.1f} s; "
            f"{len(found.cores):,} cores on {found.chips} chips, bound by {found.binding_limit()}; "
            f"hops {found.placed[0]:,.0f} and messages between chips {found.placed[1]:,.0f}, "
            f"in the network's order {found.naive[0]:,.0f} and {found.naive[1]:,.0f}"
        )
    if slow:
        raise SystemExit(f"more than {ALLOWED_SECONDS} s: {', '.join(slow)}")


if __name__ == "__main__":
    main()
