"""The search: candidates are run on the exact simulator; those that make a silent neuron fire, or bring a membrane to
its threshold exactly, are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..chip_network.form import SYNAPSE_SHIFT, ChipNetwork
from ..compiler.plausibility import plausibility
from ..errors import UserError
from ..progress import tracked
from ..samples.encode import encode_input
from ..simulator import simulate
from .influence import influence
from .trains import Trains, TrainSpace, families, joined, mutated, random_trains, taken

TARGETS = 24  # silent neurons of a layer that a round aims at
ROUNDS = 24
NEAR_ROUNDS = 40
TRIES = 4  # mutants of a target's best candidate, a round
NEAR_TRIES = 32  # mutants of the candidate nearest to a layer's threshold, a round
CANDIDATES = 128  # simulated at a time
FAR = np.iinfo(np.int64).max


@dataclass(frozen=True)
class StressSamples:
    """Samples and what they do.

    Attributes:
        data: input -> float64 [N, T, *shape] ([N, *shape] of a bias): data as every engine takes it.
        fired: layer -> neurons that fire in one of all the candidates that were kept.
        can_fire: layer -> neurons for which no proof was found that they stay silent.
        met: layers in which a membrane met its threshold exactly.
    """

    data: dict[str, np.ndarray]
    fired: dict[str, np.ndarray]
    can_fire: dict[str, np.ndarray]
    met: frozenset[str]


def stress_samples(
    network: ChipNetwork,
    count: int,
    *,
    steps: int | None = None,
    seed: int = 0,
    input_range: tuple[float, float] = (0.0, 1.0),
    rounds: int = ROUNDS,
) -> StressSamples:
    """Finds `count` samples that together exercise as much of the network as the search could.

    Args:
        steps: of a sample; the network's own by default.
        input_range: of the data, where the host makes biases of it.

    Raises:
        UserError: no sample asked for.
    """
    if count < 1:
        raise UserError(f"{count} samples of stress", remedy="give --stress 1 or more")
    space = TrainSpace(network, steps or network.steps, input_range)
    search = _Search(space, np.random.default_rng(seed))
    search.try_out(families(space, search.rng))
    search.try_out(random_trains(space, CANDIDATES - 16, search.rng))
    for _ in tracked(range(rounds), "stress: silent neurons, rounds"):
        if not search.aim():
            break
    for _ in tracked(range(NEAR_ROUNDS), "stress: thresholds, rounds"):
        if not search.near_thresholds():
            break
    return StressSamples(space.data(search.chosen(count)), search.fired, search.can_fire, frozenset(search.met_by))


class _Search:
    def __init__(self, space: TrainSpace, rng: np.random.Generator):
        self.space, self.rng = space, rng
        network = space.network
        self.can_fire = {
            name: found.can_fire
            for name, found in plausibility(network, space.steps, input_range=space.host_range).items()
        }
        self.fired = {name: np.zeros(can.shape, dtype=bool) for name, can in self.can_fire.items()}
        self.threshold = {
            name: np.broadcast_to(network.populations[name].vth.astype(np.int64) << SYNAPSE_SHIFT, can.shape)
            for name, can in self.can_fire.items()
        }
        self.first: Trains = {}  # the families
        self.kept: list[Trains] = []  # those that made a neuron fire for the first time
        self.fires: list[np.ndarray] = []  # and all neurons that fire in each of these
        self.met_by: dict[str, Trains] = {}
        self.nearest: dict[str, tuple[int, Trains]] = {}
        self.best: dict[tuple[str, int], tuple[int, Trains]] = {}

    def try_out(self, trains: Trains) -> list[dict[str, np.ndarray]]:
        """Runs candidates, keeps what is new; gives a candidate's highest membrane below the threshold, a layer."""
        total = len(next(iter(trains.values())))
        if not self.first:
            self.first = trains
        reached: list[dict[str, np.ndarray]] = []
        for start in range(0, total, CANDIDATES):
            part = taken(trains, np.arange(start, min(start + CANDIDATES, total)))
            network = self.space.network
            run = simulate(network, encode_input(network, self.space.data(part), steps=self.space.steps))
            for index in range(len(next(iter(part.values())))):
                one = taken(part, [index])
                self._keep(one, {name: run.spikes[name][index].any(axis=0) for name in self.fired})
                gaps = {n: self.threshold[n] - run.membrane[n][index].astype(np.int64) for n in self.fired}
                self._near(one, gaps)
                reached.append({name: gap.min(axis=0) for name, gap in gaps.items()})
        return reached

    def _keep(self, one: Trains, fired: dict[str, np.ndarray]) -> None:
        if any((fired[name] & ~self.fired[name]).any() for name in fired):
            self.kept.append(one)
            self.fires.append(np.concatenate([each.ravel() for each in fired.values()]))
            for name in fired:
                self.fired[name] |= fired[name]

    def _near(self, one: Trains, gaps: dict[str, np.ndarray]) -> None:
        for name, gap in gaps.items():
            # a membrane that rests at its threshold of 0 has met nothing
            moving = gap[gap >= 0] if (self.threshold[name] > 0).all() else gap[(gap >= 0) & (self.threshold[name] > 0)]
            least = int(moving.min(initial=FAR))
            if least == 0 and name not in self.met_by:
                self.met_by[name] = one
            if least < self.nearest.get(name, (FAR, one))[0]:
                self.nearest[name] = (least, one)

    def aim(self) -> bool:
        """A round at silent neurons that may be able to fire; False if there are none."""
        aims: list[tuple[str, int]] = []
        for name, can in self.can_fire.items():
            silent = np.flatnonzero(can & ~self.fired[name])
            chosen = self.rng.permutation(silent)[:TARGETS]
            aims += [(name, int(neuron)) for neuron in chosen]
        if not aims:
            return False
        parts, owners = [], []
        for name in dict.fromkeys(layer for layer, _ in aims):
            fresh = np.array([n for layer, n in aims if layer == name and (layer, n) not in self.best], dtype=int)
            if len(fresh):
                made = self._by_influence(name, fresh)
                parts.append(made)
                owners += [(name, int(n)) for n in fresh] * (len(next(iter(made.values()))) // len(fresh))
            for neuron in (n for layer, n in aims if layer == name and (layer, n) in self.best):
                start = self.best[name, neuron][1]
                parts.append(mutated(joined([start] * TRIES), self.rng))
                owners += [(name, neuron)] * TRIES
        trains = joined(parts)
        for index, (gaps, owner) in enumerate(zip(self.try_out(trains), owners, strict=True)):
            gap = int(gaps[owner[0]].ravel()[owner[1]])
            if gap <= self.best.get(owner, (FAR, trains))[0]:
                self.best[owner] = (gap, taken(trains, [index]))
        return True

    def _by_influence(self, name: str, neurons: np.ndarray) -> Trains:
        """What raises each neuron at every step, in the last steps alone, and, for what is behind inhibition, turned
        round: [variants * K, ...]."""
        raising = influence(self.space.network, name, neurons)
        variants: list[Trains] = []
        for variant in range(3):
            made = {}
            for label, item in self.space.network.inputs.items():
                each = np.broadcast_to(raising[label][:, None], (len(neurons), *self.space.shape(item)))
                made[label] = np.where(each > 0, 1.0, 0.0).astype(np.float32)
                steps = np.arange(made[label].shape[1]).reshape(1, -1, *[1] * len(item.shape))
                if variant == 1:
                    made[label] = np.where(steps < steps.size // 2, 1 - made[label], made[label])
                elif variant == 2:
                    made[label] = np.where(self.rng.random(made[label].shape) < 0.7, made[label], 0).astype(np.float32)
            variants.append(made)
        return joined(variants)

    def near_thresholds(self) -> bool:
        """A round at layers in which no membrane has met its threshold yet; False if there are none."""
        left = [name for name in self.nearest if name not in self.met_by and self.fired[name].any()]
        if not left:
            return False
        self.try_out(joined([mutated(joined([self.nearest[name][1]] * NEAR_TRIES), self.rng) for name in left]))
        return True

    def chosen(self, count: int) -> Trains:
        """The samples to run: up to three quarters for neurons; the rest for thresholds, families and chance."""
        picked = [self.kept[index] for index in _greedy_cover(self.fires, count - count // 4)]
        picked += self.met_by.values()
        picked += [one for name, (_, one) in self.nearest.items() if name not in self.met_by]
        picked += [taken(self.first, [index]) for index in range(len(next(iter(self.first.values()))))]
        picked = picked[:count]
        if len(picked) < count:
            picked.append(random_trains(self.space, count - len(picked), self.rng))
        return joined(picked)


def _greedy_cover(sets: list[np.ndarray], most: int) -> list[int]:
    """Indices of up to `most` sets, each the one that adds most to those before it, until nothing is added."""
    chosen: list[int] = []
    if not sets:
        return chosen
    every = np.stack(sets)
    missing = every.any(axis=0)
    while len(chosen) < most and missing.any():
        chosen.append(int((every & missing).sum(axis=1).argmax()))
        missing = missing & ~every[chosen[-1]]
    return chosen
