"""How many planted faults a check on data catches, and how many a stressed one.

python -m tests.planted_faults [--write docs/checks.md]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from dalif_deploy.data import load_data
from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput, Recording
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.hw_models.stress import stress_samples
from tests.faulty_chip import FAULTS, Chip, networks

SAMPLES = 64
BEGIN, END = "<!-- planted faults -->", "<!-- end of planted faults -->"


def digits(network: ChipNetwork, samples: int = SAMPLES) -> EncodedInput:
    """Real images."""
    return encode_input(network, load_data("digits:test").inputs[:samples])


def stressed(samples: int = SAMPLES) -> dict[str, tuple[EncodedInput, Recording]]:
    """Network -> the samples of --stress, and what the simulator makes of them."""
    found = {}
    for name, network in networks().items():
        encoded = encode_input(network, stress_samples(network, samples).data)
        found[name] = (encoded, simulate(network, encoded))
    return found


def differs(chip: Chip, network: ChipNetwork, encoded: EncodedInput, right: Recording) -> bool:
    """Whether any spike or membrane of any layer differs from the simulator's."""
    spikes, membranes = chip.run(network, encoded)
    return any(
        (spikes[name] != right.spikes[name].reshape(spikes[name].shape)).any()
        or (membranes[name] != right.membrane[name].reshape(membranes[name].shape)).any()
        for name in network.populations
    )


def main() -> int:
    """Exit code 1 where a stressed check misses a fault."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", type=Path, help="page that the table is written into")
    options = arguments.parse_args()
    stress = stressed()
    plain = {name: (digits(network), simulate(network, digits(network))) for name, network in networks().items()}
    missed = {"plain": [], "stress": []}
    for label, fault in FAULTS.items():
        for kind, samples in (("plain", plain), ("stress", stress)):
            if not differs(fault.chip(), networks()[fault.network], *samples[fault.network]):
                missed[kind].append(label)
    count = len(FAULTS)
    text = "\n".join(
        [
            "| samples | faults caught | missed |",
            "|---|---|---|",
            f"| {SAMPLES} images of digits | {count - len(missed['plain'])} of {count} | {_named(missed['plain'])} |",
            f"| {SAMPLES} of `--stress` | {count - len(missed['stress'])} of {count} | {_named(missed['stress'])} |",
        ]
    )
    print(text)
    if options.write:
        page = options.write.read_text(encoding="utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        options.write.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    return int(bool(missed["stress"]))


def _named(labels: list[str]) -> str:
    return "; ".join(labels) or "none"


if __name__ == "__main__":
    np.seterr(over="raise")
    sys.exit(main())
