"""Random networks in SANA-FE's Loihi and in this project's simulator: every spike and membrane must be equal.

    python -m benchmarks.sanafe_check --networks 4 --samples 20      # about 300,000 membranes, two minutes

Registers of each neuron, soft resets, convolutions and dense layers, biases; a share of the membranes grows until it
clips. No delays, filtered currents or graded messages, which SANA-FE's Loihi has not (docs/sanafe.md).
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter

import numpy as np

from dalif_deploy.converters.sanafe.run import run_sanafe
from dalif_deploy.hw_models.chip_network.form import STATE_LIMIT
from dalif_deploy.hw_models.simulator import simulate
from tests.random_spiking_networks import Features, random_spiking_network


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--largest", type=int, default=150, help="neurons of a dense layer, at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    rng, count = np.random.default_rng(arguments.seed), Counter[str]()
    sizes = {"steps": arguments.steps, "samples": arguments.samples, "largest": arguments.largest}
    features = Features(soft_reset=True, per_neuron=True, beyond_membrane=True)
    for index in range(arguments.networks):
        network, encoded = random_spiking_network(rng, features, **sizes)
        ours, (theirs, _) = simulate(network, encoded), run_sanafe(network, encoded)
        for kind in ("spikes", "membrane"):
            for name in network.populations:
                mine, its = getattr(ours, kind)[name], getattr(theirs, kind)[name]
                differ = int((mine != its).sum())
                if differ:
                    print(f"network {index}, {kind} of {name}: {differ} of {mine.size} differ")
                count["differ"] += differ
                count[kind] += mine.size
                count[f"{kind} not zero"] += int((mine != 0).sum())
                if kind == "membrane":
                    count["membrane at the clip"] += int((np.abs(mine) == STATE_LIMIT - 1).sum())
    for key, value in sorted(count.items()):
        print(f"{value:>12,} {key}")
    return 1 if count["differ"] or not count["membrane"] else 0


if __name__ == "__main__":
    sys.exit(main())
