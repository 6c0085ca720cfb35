"""Who sends to whom: from the synapses on each core back to the cores that their sources lie on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..progress import tracked
from .core_box import Box, as_slices, box_numbers, whole_box
from .partition import PopulationCut

INPUT = -1  # stands for a core where messages come from outside


def reached_sources(cut: PopulationCut) -> Iterator[tuple[int, str, Box, np.ndarray]]:
    """What leads to each core of a population: (number of the core, source, window, bool [C, H, W] of the window).

    A source's neuron is True that has a synapse on the core, in any projection: its spike costs one message there.
    """
    sources = dict.fromkeys(s.source for s in cut.incoming)
    for number, box in enumerate(cut.boxes):
        for source in sources:
            parts = [s for s in cut.incoming if s.source == source]
            window, touched = parts[0].touched(box)
            if len(parts) > 1:
                whole = np.zeros(parts[0].source_shape, dtype=bool)
                for each in parts:
                    window, touched = each.touched(box)
                    whole[as_slices(window)] |= touched
                window, touched = whole_box(whole.shape), whole
            yield number, source, window, touched


def edges(
    cuts: dict[str, PopulationCut], first: dict[str, int], spikes: dict[str, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Messages from core to core.

    Args:
        first: number of each population's first core.
        spikes: input or population -> spikes of each neuron (counts below 2^53); None: one each.

    Returns:
        (source core or INPUT, target core, messages): an entry a pair of cores, and an entry an input and core.
    """
    numbers = {name: box_numbers(cut.shape, cut.tile) for name, cut in cuts.items()}
    sources: list[np.ndarray] = [np.zeros(0, int)]
    targets: list[np.ndarray] = [np.zeros(0, int)]
    amounts: list[np.ndarray] = [np.zeros(0)]
    for name, cut in tracked(list(cuts.items()), "mapping: messages between cores, layers"):
        for number, source, window, touched in reached_sources(cut):
            if spikes is None:
                sent = touched
            else:
                shape = next(s.source_shape for s in cut.incoming if s.source == source)
                sent = np.reshape(spikes[source], shape)[as_slices(window)] * touched
            if source in cuts:
                amount = np.bincount(numbers[source][as_slices(window)].ravel(), sent.ravel())
                found = np.flatnonzero(amount)
                amount, found = amount[found], found + first[source]
            else:
                amount, found = np.array([float(sent.sum())]), np.array([INPUT])
            sources.append(found)
            targets.append(np.full(len(found), first[name] + number))
            amounts.append(amount)
    return np.concatenate(sources), np.concatenate(targets), np.concatenate(amounts)
