"""Messages and hops of real spikes on a mapped network.

A spike costs one message to each core that holds at least one of its synapses. A message hops from tile to tile,
first along its row (east-west), then along its column (north-south). What enters from outside is a message at each
core that it reaches, without hops: no source says where it enters. Messages to another chip are counted apart, also
without hops.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .core_box import as_slices, image_shape
from .mapping import Mapping
from .synapse_reads import words_of_a_spike

KINDS = ("messages", "from_input", "between_chips", "hops_east_west", "hops_north_south")


@dataclass
class TrafficCounts:
    """Traffic of a run.

    Attributes:
        counts: kind -> int64 [samples]. "messages" are all that arrive at a core; "from_input" and "between_chips"
            are among them.
        spikes: input or population -> spikes (or messages) of each neuron over all samples, int64 [neurons].
        words_read: population -> words of synapse memory read on its cores, int64 [samples].
    """

    mapping: Mapping
    counts: dict[str, np.ndarray]
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    words_read: dict[str, np.ndarray] = field(default_factory=dict)


class TrafficCounter:
    """Counts batch by batch. Traffic is linear in spikes, so each neuron has a price in messages and in hops."""

    def __init__(self, mapping: Mapping):
        self.mapping = mapping
        self.prices = traffic_of_a_spike(mapping)
        self.words = words_of_a_spike(mapping)
        self._counts: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
        self._words: dict[str, list[np.ndarray]] = {name: [] for name in self.words}
        self._spikes: dict[str, np.ndarray] = {}

    def add(self, events: dict[str, np.ndarray]) -> None:
        """Counts a batch; `events`: input or population -> spikes of each neuron, int64 [samples, neurons]."""
        none = np.zeros(len(next(iter(events.values()), ())), dtype=np.int64)
        for kind in KINDS:
            parts = [spikes @ self.prices[name][kind] for name, spikes in events.items() if name in self.prices]
            self._counts[kind].append(sum(parts, none))
        for name, sources in self.words.items():
            self._words[name].append(sum((events[source] @ words for source, words in sources.items()), none))
        for name, spikes in events.items():
            self._spikes[name] = self._spikes.get(name, 0) + spikes.sum(axis=0)

    def result(self) -> TrafficCounts:
        """Traffic of all samples so far."""
        counts = {kind: np.concatenate(parts) for kind, parts in self._counts.items()}
        words = {name: np.concatenate(parts) for name, parts in self._words.items()}
        return TrafficCounts(self.mapping, counts, self._spikes, words)


def joined_traffic(parts: list[TrafficCounts]) -> TrafficCounts:
    """Traffic of consecutive samples on one mapping as one; at least one part."""
    first = parts[0]
    return TrafficCounts(
        first.mapping,
        {kind: np.concatenate([part.counts[kind] for part in parts]) for kind in first.counts},
        {name: sum((part.spikes[name] for part in parts), np.zeros_like(first.spikes[name])) for name in first.spikes},
        {name: np.concatenate([part.words_read[name] for part in parts]) for name in first.words_read},
    )


def traffic_of_a_spike(mapping: Mapping) -> dict[str, dict[str, np.ndarray]]:
    """What one spike of each neuron causes: source -> kind (see KINDS) -> int64 [neurons]."""
    network = mapping.network
    prices = {
        name: {kind: np.zeros(image_shape(network.source_shape(name)), dtype=np.int64) for kind in KINDS}
        for name in dict.fromkeys(p.source for p in network.projections.values())
    }
    chip = np.array([core.chip for core in mapping.cores])
    column, row = np.array([core.tile for core in mapping.cores]).reshape(-1, 2).T
    numbers = {name: mapping.core_numbers(name) for name in network.populations}
    for target, source, window, touched in mapping.reached():
        inside = as_slices(window)
        price = {kind: array[inside] for kind, array in prices[source].items()}
        price["messages"] += touched
        if source in network.inputs:
            price["from_input"] += touched
            continue
        same = chip == chip[target]
        core = numbers[source][inside]
        price["between_chips"] += touched & ~same[core]
        price["hops_east_west"] += touched * (np.abs(column - column[target]) * same)[core]
        price["hops_north_south"] += touched * (np.abs(row - row[target]) * same)[core]
    return {name: {kind: array.ravel() for kind, array in kinds.items()} for name, kinds in prices.items()}
