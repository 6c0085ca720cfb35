"""Output axons of every core, and smaller cores where they are too many.

An output axon is an (axon, destination core) pair of its source core, so the sources can be cut when their targets
are: from the last layer to the first. A loop makes that circular; then all populations are gone through again until
nothing changes, which ends because cores only get smaller.
"""

from __future__ import annotations

import numpy as np

from ..chip_network.form import ChipNetwork
from .core_box import box_numbers
from .partition import PopulationCut


def cut_by_output_axons(network: ChipNetwork, cuts: dict[str, PopulationCut], depths: dict[str, int]) -> None:
    """Makes the tiles of `cuts` smaller until every core keeps its limit of output axons.

    Raises:
        DoesNotFit: a single neuron has too many.
    """
    order = sorted(cuts, key=lambda name: -depths[name])
    changed = True
    while changed:
        changed = False
        for name in order:
            limit = cuts[name].chip.limits.output_axons_per_core
            while limit is not None and (most := int(output_axons(name, cuts).max())) > limit.value:
                cuts[name].shrink(most, limit.value)
                changed = True


def output_axons(source: str, cuts: dict[str, PopulationCut]) -> np.ndarray:
    """Output axons of each core of a population, int64 [cores]."""
    cut = cuts[source]
    numbers = box_numbers(cut.shape, cut.tile)
    cores = len(cut.boxes)
    total = np.zeros(cores, dtype=np.int64)
    for target in cuts.values():
        for synapses in target.incoming:
            if synapses.source == source:
                total += synapses.output_axons(target.boxes, numbers, cores)
    return total
