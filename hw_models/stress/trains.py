"""Inputs of a network as numbers in 0..1, the form that the search works in, and families of them.

0 is the lowest value of an input and 1 the highest: no spike and a spike, the lowest and highest level of graded
messages, the ends of the data's range where the host makes a bias of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..chip_network.form import ChipInput, ChipNetwork
from ..compiler.plausibility import host_bias_fits

Trains = dict[
    str, np.ndarray
]  # input -> float32 [N, T, *shape]; [N, 1, *shape] of a bias, which is the same at each step


@dataclass(frozen=True)
class TrainSpace:
    """What the inputs of a network may be.

    Attributes:
        steps: of a sample.
        input_range: lowest and highest value of real-valued data.
    """

    network: ChipNetwork
    steps: int
    input_range: tuple[float, float]

    @cached_property
    def host_range(self) -> tuple[float, float]:
        """The data's range or, where scales chosen by calibration do not cover it, as much as bias registers hold."""
        low, high = self.input_range
        for share in (1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.05, 0.02, 0.01):
            if host_bias_fits(self.network, (low * share, high * share)):
                return low * share, high * share
        return 0.0, 0.0

    def shape(self, item: ChipInput) -> tuple[int, ...]:
        """Of one sample."""
        return (1 if item.mode == "bias" else self.steps, *item.shape)

    def data(self, trains: Trains) -> dict[str, np.ndarray]:
        """Real data, as an engine takes it: float64 [N, T, *shape], or [N, *shape] of a bias."""
        return {name: self._values(self.network.inputs[name], array) for name, array in trains.items()}

    def _values(self, item: ChipInput, array: np.ndarray) -> np.ndarray:
        if item.mode == "spikes":
            return (array >= 0.5).astype(np.float64)
        if item.mode == "graded":
            levels = item.min_level + np.rint(array.astype(np.float64) * (item.max_level - item.min_level))
            return levels * item.step
        low, high = self.host_range
        values: np.ndarray = low + array[:, 0].astype(np.float64) * (high - low)
        return values


def families(space: TrainSpace, rng: np.random.Generator) -> Trains:
    """Samples of every kind, those that differ most first."""
    kinds = []
    for name, item in space.network.inputs.items():
        shape = space.shape(item)
        rest = _rest(item)
        steps = np.arange(shape[0]).reshape(-1, *[1] * len(item.shape))
        half, late = max(1, shape[0] // 2), shape[0] - 1
        random = rng.random((4, *shape))
        still = rng.random((2, 1, *item.shape))
        mine = [
            np.full(shape, 1.0),  # registers to their limits
            np.full(shape, 0.0),
            np.where(steps == 0, 1.0, rest),  # a burst, then long silence: decays to nothing
            np.where(steps == 0, 0.0, rest),
            random[0],  # any value
            np.where(random[1] < 0.5, 0.0, 1.0),
            np.where(random[2] < 0.1, 1.0, rest),  # sparse
            np.where(random[3] < 0.9, 1.0, 0.0),  # dense
            np.where(steps % 2 == 0, 1.0, 0.0),  # alternating
            np.where(steps % 2 == 1, still[0], rest),
            np.where(steps < half, still[1], 1 - still[1]),  # turned round half-way
            np.where(steps < half, rest, np.where(random[1] < 0.5, 0.0, 1.0)),  # long silence, then a burst
            np.where(steps < half, 1.0, 0.0),
            np.where(steps == late, 1.0, rest),
            np.where(steps < half, np.where(random[2] < 0.5, 1.0, 0.0), rest),
            np.full(shape, rest),
        ]
        kinds.append((name, np.stack([np.broadcast_to(each, shape) for each in mine]).astype(np.float32)))
    return dict(kinds)


def random_trains(space: TrainSpace, count: int, rng: np.random.Generator) -> Trains:
    """Samples of random density in space and time."""
    found = {}
    for name, item in space.network.inputs.items():
        shape = (count, *space.shape(item))
        density = rng.random((count, *[1] * (len(shape) - 1))) ** 2
        values = np.where(rng.random(shape) < 0.5, 1.0, rng.random(shape))
        found[name] = np.where(rng.random(shape) < density, values, _rest(item)).astype(np.float32)
    return found


def mutated(trains: Trains, rng: np.random.Generator) -> Trains:
    """Each sample changed a little: some values, within some steps."""
    found = {}
    for name, array in trains.items():
        count, steps = array.shape[:2]
        lead = (count, *[1] * (array.ndim - 1))
        share = rng.choice([0.02, 0.1, 0.4], lead)
        chosen = rng.random(array.shape) < share
        first, length = rng.integers(0, steps, lead), rng.integers(1, steps + 1, lead)
        time = np.arange(steps).reshape(1, -1, *[1] * (array.ndim - 2))
        chosen &= (time >= first) & (time < first + length)
        # at least one value, also of a small input
        flat = chosen.reshape(count, -1)
        flat[np.arange(count), rng.integers(0, flat.shape[1], count)] = True
        ends = rng.random(array.shape) < 0.5
        values = np.where(ends, rng.integers(0, 2, array.shape), rng.random(array.shape))
        near = np.clip(array + rng.normal(0, 1, array.shape) * 10.0 ** rng.uniform(-6, -1, lead), 0, 1)
        values = np.where(rng.random(lead) < 0.4, near, values)
        found[name] = np.where(chosen, values, array).astype(np.float32)
    return found


def joined(parts: list[Trains]) -> Trains:
    """All samples of several."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def taken(trains: Trains, index: np.ndarray | list[int]) -> Trains:
    """Samples by their index."""
    return {name: array[index] for name, array in trains.items()}


def _rest(item: ChipInput) -> float:
    """Where nothing is sent."""
    if item.mode != "graded" or item.max_level == item.min_level:
        return 0.0
    return float(np.clip(-item.min_level / (item.max_level - item.min_level), 0, 1))
