"""Cuts one population into cores: the regular tile with the fewest cores that keeps every limit of a core."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from math import ceil

from ..chip_network.form import Population
from ..chips.description import ChipDescription
from .convolution_synapses import ConvolutionSynapses
from .core_box import Box, Tile, box_size, boxes, image_shape
from .core_limit import CORE_LIMITS, CoreLimit
from .decay_profiles import DecayProfiles
from .does_not_fit import DoesNotFit
from .matrix_synapses import MatrixSynapses

Synapses = ConvolutionSynapses | MatrixSynapses
Candidate = tuple[int, int, int, Tile]  # cores, axons that lead to them, minus the width, and the tile


@dataclass(frozen=True)
class CoreUse:
    """What a core uses of each limit; fields are named as the chip's limits."""

    neurons_per_core: int
    synapse_memory_bits_per_core: int
    input_axons_per_core: int
    output_axons_per_core: int = 0
    decay_profiles_per_core: int = 1

    def exceeded(self, chip: ChipDescription) -> CoreLimit | None:
        """The limit that is exceeded most, if any."""
        share, name = max((share, name) for name, share in self.shares(chip).items())
        return name if share > 1 else None

    def shares(self, chip: ChipDescription) -> dict[CoreLimit, float]:
        """Use over limit, for the limits that the chip's file gives."""
        limits = {name: getattr(chip.limits, name) for name in CORE_LIMITS}
        return {name: getattr(self, name) / limit.value for name, limit in limits.items() if limit is not None}


class PopulationCut:
    """One population with the synapses that end on it, and its current tile."""

    def __init__(self, population: Population, incoming: list[Synapses], chip: ChipDescription):
        self.population, self.incoming, self.chip = population, incoming, chip
        self.shape = image_shape(population.shape)
        self._profiles = DecayProfiles(population)
        self._uses: dict[Box, CoreUse] = {}
        self._alone: tuple[CoreLimit, CoreUse] | None = None
        self.tile = self._best_tile(self.shape[0], self.shape[1] * self.shape[2])

    @property
    def boxes(self) -> list[Box]:
        """The cores' shares, in order."""
        return boxes(self.shape, self.tile)

    def use(self, box: Box) -> CoreUse:
        """Use of a core that holds `box`, output axons left out: they depend on how the targets are cut."""
        if box not in self._uses:
            memory, axons = zip(*(s.use(box) for s in self.incoming), strict=True) if self.incoming else ((), ())
            self._uses[box] = CoreUse(
                box_size(box), sum(memory), sum(axons), decay_profiles_per_core=self._profiles.count(box)
            )
        return self._uses[box]

    def shrink(self, needed: int, available: int) -> None:
        """Takes a smaller tile, because a core needs `needed` output axons of `available`.

        Fewer pixels first: an output axon of a convolution is a pixel.

        Raises:
            DoesNotFit: there is one neuron a core already.
        """
        channels, pixels = self.tile[0], self.tile[1] * self.tile[2]
        if pixels > 1:
            pixels = max(1, min(pixels - 1, pixels * available // needed))
        elif channels > 1:
            channels = max(1, min(channels - 1, channels * available // needed))
        else:
            raise self._refusal("output_axons_per_core", needed)
        self.tile = self._best_tile(channels, pixels)

    def _best_tile(self, most_channels: int, most_pixels: int) -> Tile:
        # for each height and width, the most channels that a core takes: use grows with channels
        queue: list[Candidate] = []
        for rows in _sizes(self.shape[1]):
            for columns in _sizes(self.shape[2]):
                if rows * columns <= most_pixels:
                    channels = self._most_channels(rows, columns, most_channels)
                    self._push(queue, channels, rows, columns)
        while queue:
            *_, tile = heapq.heappop(queue)
            # zero weights make cores unequal: all are looked at, not only the one in the middle
            if all(self._fits(box) for box in boxes(self.shape, tile)):
                return tile
            self._push(queue, tile[0] - 1, *tile[1:])
        assert self._alone is not None
        limit, use = self._alone
        raise self._refusal(limit, getattr(use, limit))

    def _push(self, queue: list[Candidate], channels: int, rows: int, columns: int) -> None:
        """Queues a tile by its number of cores, then by the axons that lead to them all."""
        if channels < 1:
            return
        even = ceil(self.shape[0] / ceil(self.shape[0] / channels))
        tile = (even, rows, columns)
        cores = 1
        for size, step in zip(self.shape, tile, strict=True):
            cores *= ceil(size / step)
        heapq.heappush(queue, (cores, cores * self.use(self._middle(tile)).input_axons_per_core, -columns, tile))

    def _most_channels(self, rows: int, columns: int, most: int) -> int:
        low, high = 0, min(self.shape[0], most, self.chip.limits.neurons_per_core.value // (rows * columns))
        while low < high:
            middle = (low + high + 1) // 2
            if self._fits(self._middle((middle, rows, columns))):
                low = middle
            else:
                high = middle - 1
        return low

    def _fits(self, box: Box) -> bool:
        use = self.use(box)
        exceeded = use.exceeded(self.chip)
        if exceeded and use.neurons_per_core == 1:
            self._alone = (exceeded, use)
        return exceeded is None

    def _middle(self, tile: Tile) -> Box:
        """A box away from the borders, of full size: first channels, middle pixels."""
        _, rows, columns = (
            ((ceil(size / step) - 1) // 2 * step, step) for size, step in zip(self.shape, tile, strict=True)
        )
        return ((0, tile[0]), (rows[0], rows[0] + rows[1]), (columns[0], columns[0] + columns[1]))

    def _refusal(self, limit: CoreLimit, needed: int) -> DoesNotFit:
        available = getattr(self.chip.limits, limit).value
        return DoesNotFit(limit, needed, available, layer=self.population.name, chip=self.chip.title)

    def with_output_axons(self, output_axons: list[int]) -> list[CoreUse]:
        """Use of all cores, complete."""
        return [
            replace(self.use(box), output_axons_per_core=int(axons))
            for box, axons in zip(self.boxes, output_axons, strict=True)
        ]


def _sizes(length: int) -> list[int]:
    """Edge lengths that cut `length` into equal parts as far as it goes."""
    return sorted({ceil(length / parts) for parts in range(1, length + 1)})
