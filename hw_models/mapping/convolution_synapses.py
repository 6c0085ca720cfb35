"""A convolution seen from the core that its synapses end on, in closed form on receptive fields.

As nengo-loihi stores it (`conv2d_loihi_weights`): one input axon a source pixel (population_axons.py); pixels from
which the same taps of the kernel reach the core share their lists (`axon_to_weight_map`). Inside an image that is one
list for all pixels; the pixels around the box, from which some taps fall outside it, have lists of their own, with
the taps that remain. A list is shifted to its place by a base below `base_span`; past that it is stored again.

Here, beyond nengo-loihi: zero weights are left out of a list; groups; more channels than atoms make further axons.
Approximated: the index field is as wide as the number of neurons on the core asks for.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import numpy as np

from ..chip_network.form import Projection
from ..chips.description import SynapseEncoding
from .core_box import Box, box_size, image_shape
from .population_axons import PopulationAxons
from .synapse_memory import delay_field, index_field, list_bits, weight_field


class ConvolutionSynapses:
    """Kernel, geometry and sizes of one projection, with the sums that every box needs prepared."""

    def __init__(self, projection: Projection, source_shape: tuple[int, ...], encoding: SynapseEncoding, delay: int):
        assert projection.geometry is not None
        geometry = projection.geometry
        self.source, self.encoding = projection.source, encoding
        self.source_shape = image_shape(source_shape)
        nonzero = projection.weight != 0
        missing = 4 - nonzero.ndim  # a kernel over a line gets a second axis of length one
        nonzero = nonzero.reshape(*nonzero.shape, *[1] * missing)
        self._kernel = nonzero.shape[2:]
        self._stride = (*geometry.stride, *[1] * missing)
        self._padding = (*geometry.padding, *[0] * missing)
        self._dilation = (*geometry.dilation, *[1] * missing)
        self._group_starts = np.arange(geometry.groups) * (len(nonzero) // geometry.groups)
        self._group_size = len(nonzero) // geometry.groups
        self._summed = np.concatenate([np.zeros((1, *nonzero.shape[1:]), np.int32), nonzero.cumsum(0, dtype=np.int32)])
        self._bits = weight_field(projection.weight, encoding) + delay_field(delay)
        self._axons = PopulationAxons(self.source_shape[0], encoding)
        self._reach = lru_cache(maxsize=4096)(self._find_reach)
        self._copies = lru_cache(maxsize=4096)(self._find_copies)
        self._synapses_by_channel = lru_cache(maxsize=64)(self._find_synapses_by_channel)
        self._synapses_by_axon = lru_cache(maxsize=1024)(self._find_synapses_by_axon)

    def _find_synapses_by_channel(self, start: int, stop: int) -> np.ndarray:
        """Target channels start..stop with a synapse, a source channel and tap: int [C_in, kernel rows, columns]."""
        low = np.clip(start, self._group_starts, self._group_starts + self._group_size)
        high = np.clip(stop, self._group_starts, self._group_starts + self._group_size)
        counted: np.ndarray = self._summed[high] - self._summed[low]
        return counted.reshape(self.source_shape[0], *self._kernel)

    def _find_synapses_by_axon(self, start: int, stop: int) -> np.ndarray:
        """The same, all atoms of an axon together: int [axons a pixel, kernel rows, columns]."""
        return self._axons.sum_atoms(self._synapses_by_channel(start, stop))

    def _find_reach(self, axis: int, start: int, stop: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Which taps lead from each source row (axis 0) or column (1) into target rows start..stop.

        Returns:
            (first source row of the window, bool [taps, rows of the window], first target row reached, from `start`).
        """
        stride, padding, dilation = self._stride[axis], self._padding[axis], self._dilation[axis]
        taps, size = self._kernel[axis], self.source_shape[axis + 1]
        low = max(0, start * stride - padding)
        high = min(size, (stop - 1) * stride - padding + (taps - 1) * dilation + 1)
        source = np.arange(low, max(low, high))
        moved = source[None, :] + padding - np.arange(taps)[:, None] * dilation
        target = moved // stride
        reach = (moved % stride == 0) & (target >= start) & (target < stop)
        return low, reach, np.where(reach, target - start, stop).min(axis=0, initial=stop)

    def _find_copies(
        self, rows: tuple[int, int], columns: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sets of taps and how often their lists are stored.

        Returns:
            (bool [row sets, kernel rows], bool [column sets, kernel columns], int [row sets, column sets]).
        """
        _, reach_row, first_row = self._reach(0, *rows)
        _, reach_column, first_column = self._reach(1, *columns)
        row_sets, row_of = np.unique(reach_row.T, axis=0, return_inverse=True)
        column_sets, column_of = np.unique(reach_column.T, axis=0, return_inverse=True)
        copies = np.ones((len(row_sets), len(column_sets)), dtype=np.int64)
        span, width = self.encoding.base_span, columns[1] - columns[0]
        if span is not None and (rows[1] - rows[0]) * width > span and copies.size:
            base = (first_row[:, None] * width + first_column[None, :]) // span
            pair = row_of.ravel()[:, None] * len(column_sets) + column_of.ravel()[None, :]
            stored = np.unique(pair * (base.max() + 1) + base)
            copies = np.bincount(stored // (base.max() + 1), minlength=copies.size).reshape(copies.shape)
        return row_sets.astype(np.int64), column_sets.astype(np.int64), copies

    def use(self, box: Box) -> tuple[int, int]:
        """(synapse memory in bits, input axons) of a core that holds `box`."""
        channels, rows, columns = box
        by_axon = self._synapses_by_axon(*channels)
        row_sets, column_sets, copies = self._copies(rows, columns)
        lists = row_sets @ by_axon @ column_sets.T
        bits = self._bits + index_field(box_size(box), self.encoding)
        memory = (list_bits(lists, bits, self.encoding) * copies).sum()
        _, reach_row, _ = self._reach(0, *rows)
        _, reach_column, _ = self._reach(1, *columns)
        reached = reach_row.T.astype(np.int64) @ (by_axon > 0) @ reach_column
        return int(memory), int(np.count_nonzero(reached))

    def touched(self, box: Box) -> tuple[Box, np.ndarray]:
        """(window of the source, bool [C, H, W] of that window): neurons with a synapse in `box`."""
        return self._touched(self._synapses_by_channel(*box[0]) > 0, *box[1:])

    def lists(self, box: Box) -> tuple[Box, np.ndarray]:
        """(window of the source, int64 [C, H, W] of that window): bits of each neuron's synapses, as a list."""
        # no more synapses than neurons on the core, far below 2^24: exact in float32
        window, synapses = self._spread(self._synapses_by_channel(*box[0]).astype(np.float32), *box[1:])
        field = self._bits + index_field(box_size(box), self.encoding)
        length = np.arange(1 + int(synapses.max(initial=0)))
        return window, list_bits(length, field, self.encoding)[synapses.astype(np.int32)]

    def output_axons(self, boxes: list[Box], numbers: np.ndarray, cores: int) -> np.ndarray:
        """Output axons that each source core spends on the cores with `boxes`, int64 [cores].

        Cores that differ in their channels only, and are reached by the same taps, are looked at once.

        Args:
            numbers: source core of each neuron, [C, H, W].
        """
        starts = self._axons.segments(numbers)
        present: dict[tuple[int, int], tuple[bytes, np.ndarray, tuple[int, int]]] = {}
        alike: Counter[tuple[bytes, tuple[int, int], tuple[int, int]]] = Counter()
        for channels, rows, columns in boxes:
            if channels not in present:
                taps = np.logical_or.reduceat(self._synapses_by_channel(*channels) > 0, starts, axis=0)
                present[channels] = taps.tobytes(), taps, channels
            alike[present[channels][0], rows, columns] += 1
        representative = {key: (taps, channels) for key, taps, channels in present.values()}
        total = np.zeros(cores, dtype=np.int64)
        for (key, rows, columns), times in alike.items():
            taps, channels = representative[key]
            input_axons = self.use((channels, rows, columns))[1]
            window, used = self._touched(taps, rows, columns)
            total += times * self._axons.output_axons(window, used, starts, numbers, cores, input_axons)
        return total

    def _touched(self, present: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Box, np.ndarray]:
        # sums of a few ones: exact in float32
        window, taps = self._spread(present.astype(np.float32), rows, columns)
        return window, taps > 0

    def _spread(self, taps: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Box, np.ndarray]:
        """(window of the source, sum of the `taps` [C, kernel] that lead from each of its pixels to the core)."""
        top, reach_row, _ = self._reach(0, *rows)
        left, reach_column, _ = self._reach(1, *columns)
        total = reach_row.T.astype(taps.dtype) @ taps @ reach_column.astype(taps.dtype)
        window = ((0, self.source_shape[0]), (top, top + reach_row.shape[1]), (left, left + reach_column.shape[1]))
        return window, total
