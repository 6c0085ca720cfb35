"""Random networks in Brian2Loihi, an emulator that its authors held against Loihi 1, and in this project's simulator.

    nox -s brian2loihi                    # makes both environments and does what follows; nox -s nengo_loihi: see below
    python -m benchmarks.brian2loihi_check --python ENVIRONMENT/bin/python --networks 400

Brian2Loihi 0.5.2 (Michaelis et al., Frontiers in Neuroinformatics 2022, 10.3389/fninf.2022.1015624) wants brian2 2.5.1
and a numpy below 1.24, so it runs as a child in an environment of its own (benchmarks/brian2loihi_emulator.py). Every
spike and membrane of every layer and step is compared. A quarter of the networks has refractory times, which no
ChipNetwork has: these are held against `tests/refractory_chip.py`, and what differs from the simulator is counted.

`--emulator nengo_loihi` runs the same networks in the neurons of nengo-loihi (nengo_loihi_emulator.py), which
has biases of its own and an accumulator of 21 bits: networks with a larger synaptic sum are a group of their own, too.
`--save` keeps networks and what the emulator gave, as in tests/data/brian2loihi.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.brian2loihi_job import job_arrays
from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from tests import refractory_chip
from tests.random_spiking_networks import Features, random_spiking_network

FEATURES = (Features(), Features(delays=True), Features(filters=True), Features(delays=True, filters=True))
LARGEST_REFRACTORY = 4
SYNAPTIC_BITS = 21  # of what arrives in a step, in nengo-loihi


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True, help="interpreter that has the emulator")
    parser.add_argument("--emulator", choices=["brian2loihi", "nengo_loihi"], default="brian2loihi")
    parser.add_argument("--networks", type=int, default=400)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--largest", type=int, default=60, help="neurons of a dense layer, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", help="write the networks and what Brian2Loihi gave")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    sizes = {"steps": arguments.steps, "samples": arguments.samples, "largest": arguments.largest}
    cases = [draw(rng, index, **sizes) for index in range(arguments.networks)]
    arrays = {"networks": np.array(len(cases))}
    for index, case in enumerate(cases):
        arrays |= {f"{index}.{key}": value for key, value in job_arrays(*case).items()}
    with tempfile.TemporaryDirectory() as folder:
        job, out = Path(folder) / "job.npz", Path(folder) / "seen.npz"
        np.savez_compressed(job, **arrays)
        emulator = Path(__file__).with_name(f"{arguments.emulator}_emulator.py")
        subprocess.run([arguments.python, str(emulator), str(job), str(out)], check=True)
        seen = dict(np.load(out))
    if arguments.save:
        np.savez_compressed(arguments.save, **arrays, **seen)
    return compare(cases, seen, arguments.emulator)


def draw(
    rng: np.random.Generator, index: int, *, steps: int, samples: int, largest: int
) -> tuple[ChipNetwork, EncodedInput, dict[str, int], dict[str, int]]:
    """(network, input, refractory time a population, weight exponent of biases that come through synapses)."""
    network, encoded = random_spiking_network(
        rng, FEATURES[index % len(FEATURES)], steps=steps, samples=samples, largest=largest
    )
    refractory, synaptic = dict.fromkeys(network.populations, 1), dict[str, int]()
    if rng.random() < 0.25:
        refractory = {name: int(rng.integers(1, LARGEST_REFRACTORY + 1)) for name in network.populations}
    for name, population in network.populations.items():
        if refractory[name] > 1:
            # no emulator says what a bias does in a refractory time
            population.bias_mant = population.bias_exp = np.array(0)
        elif (population.du == 4095).all() and rng.random() < 0.5:
            # synapses have the grid of weights; no larger than it was, so that no register overflows
            exponents = [e for e in range(6) if 255 * 64 << e <= np.abs(population.bias).max()]
            if exponents:
                synaptic[name] = int(rng.choice(exponents))
                population.bias_mant = rng.integers(-255, 256, population.shape) * 16
                population.bias_exp = np.array(2 + synaptic[name])
    return network, encoded, refractory, synaptic


def compare(cases: list, seen: dict[str, np.ndarray], emulator: str) -> int:
    count: Counter[str] = Counter()
    bits = SYNAPTIC_BITS if emulator == "nengo_loihi" else 31
    for index, (network, encoded, refractory, _) in enumerate(cases):
        ours = simulate(network, encoded)
        *expected, largest = refractory_chip.run(network, encoded, refractory, bits)
        group = "as simulated"
        if largest >= 1 << bits:
            group = "with a synaptic sum beyond 21 bits"
        elif max(refractory.values()) > 1:
            group = "with refractory times"
        else:
            expected = [ours.spikes, ours.membrane]
        for kind, mine, simulated in zip(("spikes", "membrane"), expected, (ours.spikes, ours.membrane), strict=True):
            for name in network.populations:
                theirs = seen[f"{index}.{name}.{kind}"].reshape(mine[name].shape)
                differ = int((theirs != mine[name]).sum())
                if differ:
                    at = tuple(int(i) for i in np.argwhere(theirs != mine[name])[0])
                    print(f"network {index}, {kind} of {name} at {at}: {theirs[at]}, here {mine[name][at]} ({differ})")
                count["differ"] += differ
                count[f"{kind} {group}"] += theirs.size
                count[f"{kind} {group}, not zero"] += int((theirs != 0).sum())
                count[f"{kind} {group}, other than simulated"] += int((theirs != simulated[name]).sum())
    for key, value in sorted(count.items()):
        print(f"{value:>12,} {key}")
    return 1 if count["differ"] or not count["membrane as simulated"] else 0


if __name__ == "__main__":
    sys.exit(main())
