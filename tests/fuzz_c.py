"""`make fuzz-c`: random networks, the generated C against the batched simulator and, where small, the slow chip.

The networks of a session become one network of unconnected parts, so that the compiler is called once for them all.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections import Counter

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed

from dalif_deploy.converters.c.run import CNetwork
from dalif_deploy.hw_models.simulator import simulate
from tests.differential import PARTS, Mismatch, compare, compare_with_slow_chip, merged, part, sessions
from tests.fuzz_case import Case, Refused

# both forms of the code, and vectorised loops as well as plain ones
Builds = tuple[tuple[bool, tuple[str, ...] | None], ...]
BUILDS: Builds = ((False, ("-O1",)), (True, None))


class Tally:
    """What has run so far."""

    def __init__(self) -> None:
        self.ran = self.fired = self.slow_chip = self.sessions = 0
        self.refused: Counter[str] = Counter()
        self.features: Counter[str] = Counter()

    def __str__(self) -> str:
        ran = f"{self.ran} networks ({self.fired} fired, {self.slow_chip} also on the slow chip)"
        return f"{ran} in {self.sessions} builds, {sum(self.refused.values())} refused"


def check(drawn: list[Case | Refused], tally: Tally, builds: Builds = BUILDS) -> None:
    """Builds and compares all networks of a session.

    Raises:
        Mismatch: naming the first difference.
    """
    cases = [case for case in drawn if isinstance(case, Case)]
    tally.refused.update(case.reason for case in drawn if isinstance(case, Refused))
    if not cases:
        return
    network, encoded = merged(cases)
    fast, flags = builds[tally.sessions % len(builds)]
    built = CNetwork(network, encoded.steps, bias_inputs=encoded.bias, fast=fast, flags=flags, cache=False)
    everything = built.run(encoded, threads=2)
    tally.sessions += 1
    for index, case in enumerate(cases):
        ours = simulate(case.network, case.encoded)
        compare(case, ours, part(everything, f"{index}/"), "C")
        tally.slow_chip += compare_with_slow_chip(case, ours)
        tally.ran += 1
        if any(spikes.any() for spikes in ours.spikes.values()):
            tally.fired += 1
            tally.features.update(case.features)


def fuzz(tally: Tally, networks: int, seed: int | None, parts: int = PARTS, builds: Builds = BUILDS) -> None:
    """Draws sessions until `networks` have run; the same ones each time where no seed is given."""

    @settings(
        max_examples=-(-networks // parts) * 2,
        deadline=None,
        database=None,
        derandomize=seed is None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(sessions(parts))
    def run(cases: list[Case | Refused]) -> None:
        if tally.ran < networks:
            check(cases, tally, builds)

    (run if seed is None else with_seed(seed)(run))()


def main() -> int:
    """Exit code 1 at a mismatch."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--networks", type=int, default=5000)
    arguments.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    options = arguments.parse_args()
    torch.set_num_threads(1)  # the networks are tiny
    tally, stage, began = Tally(), 0, time.monotonic()
    while tally.ran < options.networks:
        try:
            fuzz(tally, min(options.networks, tally.ran + 500), options.seed + stage)
        except Mismatch as mismatch:
            print(f"MISMATCH after {tally}\n{mismatch}\nagain with: --seed {options.seed + stage}")
            return 1
        stage += 1
        print(f"{tally}, 0 mismatches, {time.monotonic() - began:.0f} s", flush=True)
    for feature, count in sorted(tally.features.items(), key=lambda item: item[1]):
        print(f"{count:6d} fired with {feature}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
