"""How much of random networks the samples of `--stress` exercise.

    python benchmarks/stress_coverage.py [--networks 200] [--write docs/checks.md]

Networks are the fuzzer's (`tests/random_graphs.py`, through the compiler, and `tests/random_chip_networks.py`, at the
limits of the registers). Which neurons can fire is known in two ways: for networks with few inputs and steps every
input is run; for all, intervals prove that some neurons can't fire (`hw_models/compiler/plausibility.py`), and the rest
counts as "can fire", though some of it may not.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent))

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate
from dalif_deploy.hw_models.stress import stress_samples
from tests.fuzz_case import Refused
from tests.random_chip_networks import chip_cases
from tests.random_graphs import graph_cases

EXHAUSTIVE = 12  # binary inputs times steps, up to which every input is run
SAMPLES = 128
BEGIN, END = "<!-- stress coverage -->", "<!-- end of stress coverage -->"


@dataclass
class Tally:
    """Neurons, over all networks."""

    networks: int = 0
    spiking: int = 0
    can_fire: int = 0
    fired: int = 0
    random: int = 0
    small: int = 0
    small_can_fire: int = 0
    small_fired: int = 0
    short: list[str] = field(default_factory=list)

    def add(self, network: ChipNetwork, input_range: tuple[float, float], seed: int) -> None:
        """One network."""
        found = stress_samples(network, SAMPLES, seed=seed, input_range=input_range)
        fired = _fired(network, encode_input(network, found.data, steps=network.steps))
        self.networks += 1
        for name, can in found.can_fire.items():
            self.spiking += can.size
            self.can_fire += int(can.sum())
            self.fired += int((fired[name] & can).sum())
            if (can & ~fired[name]).any():
                self.short.append(f"network {self.networks} {name}: {int((fired[name] & can).sum())}/{int(can.sum())}")
        self.random += sum(int(each.sum()) for each in _fired(network, _random(network, seed, input_range)).values())
        every = _every_input(network)
        if every is not None:
            truth = _fired(network, every)
            self.small += 1
            self.small_can_fire += sum(int(each.sum()) for each in truth.values())
            self.small_fired += sum(int((fired[name] & truth[name]).sum()) for name in truth)

    def table(self) -> str:
        """Markdown."""
        rows = [
            ("random networks", f"{self.networks}"),
            ("neurons that fire by their kind", f"{self.spiking:,}"),
            ("proven never to fire, by intervals", f"{self.spiking - self.can_fire:,}"),
            (f"of the rest, fired in {SAMPLES} samples of `--stress`", _share(self.fired, self.can_fire)),
            (f"of the rest, fired in {SAMPLES} random samples", _share(self.random, self.can_fire)),
            (f"networks small enough to run every input (up to 2^{EXHAUSTIVE})", f"{self.small}"),
            (
                "of their neurons that any input makes fire, fired by `--stress`",
                _share(self.small_fired, self.small_can_fire),
            ),
        ]
        return "\n".join(["| | |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)])


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}, {int(10000 * part / max(1, whole)) / 100:.2f} %"


def _fired(network: ChipNetwork, encoded: EncodedInput) -> dict[str, np.ndarray]:
    spikes = simulate(network, encoded, record=("spikes",)).spikes
    return {name: each.any(axis=(0, 1)) for name, each in spikes.items() if network.populations[name].fires}


def _random(network: ChipNetwork, seed: int, limits: tuple[float, float]) -> EncodedInput:
    """As many samples as a person would draw: each value anywhere in its range."""
    rng = np.random.default_rng(seed)
    data = {}
    for name, item in network.inputs.items():
        shape = (SAMPLES, *(() if item.mode == "bias" else (network.steps,)), *item.shape)
        if item.mode == "spikes":
            data[name] = rng.integers(0, 2, shape).astype(np.float64)
        elif item.mode == "graded":
            data[name] = rng.integers(item.min_level, item.max_level + 1, shape) * item.step
        else:
            data[name] = rng.uniform(*(0.01 * limit for limit in limits), shape)
    try:
        return encode_input(network, data, steps=network.steps)
    except UserError:
        return EncodedInput(network.steps, 0, {n: np.zeros((0, 1, *i.shape), np.int32) for n, i in network.inputs.items()})  # noqa: E501 # fmt: skip


def _every_input(network: ChipNetwork) -> EncodedInput | None:
    if any(item.mode != "spikes" for item in network.inputs.values()):
        return None
    sizes = {name: network.steps * int(np.prod(item.shape)) for name, item in network.inputs.items()}
    if sum(sizes.values()) > EXHAUSTIVE:
        return None
    trains = np.array(list(itertools.product((0, 1), repeat=sum(sizes.values()))), dtype=np.int32)
    encoded, start = EncodedInput(network.steps, len(trains)), 0
    for name, size in sizes.items():
        part = trains[:, start : start + size]
        encoded.messages[name] = part.reshape(len(trains), network.steps, *network.inputs[name].shape)
        start += size
    return encoded


def main() -> int:
    """Exit code 1 where less than 99 % fired."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--networks", type=int, default=200)
    arguments.add_argument("--write", type=Path, help="page that the table is written into")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    tally, began = Tally(), time.monotonic()

    @settings(
        max_examples=3 * options.networks,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        steps = data.draw(st.integers(2, 7))
        if data.draw(st.integers(0, 2)):
            case = data.draw(graph_cases(steps, 1))
            made, limits = case.compiled(), case.options["input_range"]
        else:
            made, limits = data.draw(chip_cases(steps, 1)), (0.0, 1.0)
        done = tally.networks >= options.networks  # only now: hypothesis wants the same draws each time
        if done or isinstance(made, Refused) or not any(p.fires for p in made.network.populations.values()):
            return
        tally.add(made.network, limits, tally.networks)
        if tally.networks % 20 == 0:
            print(f"{tally.networks}: {tally.fired} of {tally.can_fire}, {time.monotonic() - began:.0f} s", flush=True)

    draw()
    print(tally.table())
    print("\n".join(tally.short))
    if options.write:
        text = options.write.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        options.write.write_text(f"{before}{BEGIN}\n\n{tally.table()}\n\n{END}{after}", encoding="utf-8")
    return 0 if tally.fired >= 0.99 * tally.can_fire else 1


if __name__ == "__main__":
    sys.exit(main())
