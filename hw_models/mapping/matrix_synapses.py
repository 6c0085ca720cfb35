"""A dense projection seen from the core that its synapses end on."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from ..chip_network.form import Projection
from ..chips.description import SynapseEncoding
from .core_box import Box, as_slices, image_shape, whole_box
from .population_axons import PopulationAxons
from .synapse_memory import delay_field, index_field, list_bits, weight_field


class Form(IntEnum):
    """How a matrix lies in a core's memory; of two that take the same, the first is taken."""

    INDEXED = 0
    DENSE = 1
    BY_PIXEL = 2


class MatrixSynapses:
    """Synapse lists of a matrix, in whichever of three forms takes least memory on a core:

    * an axon and a list a source neuron ("discrete"), with indices, zero weights left out;
    * the same, dense: a weight for every neuron of the core, no indices;
    * where the source is an image: an axon and a list a pixel, with indices (population_axons.py). nengo-loihi gives
      matrices discrete axons only; a list of its own for each of an image's many neurons would fill the core with
      padding, a word of 64 bits at least.
    """

    def __init__(
        self,
        projection: Projection,
        source_shape: tuple[int, ...],
        target_shape: tuple[int, ...],
        encoding: SynapseEncoding,
        delay: int,
    ):
        self.source, self.encoding = projection.source, encoding
        self.source_shape = image_shape(source_shape)
        image = min(self.source_shape[0], self.source_shape[1] * self.source_shape[2]) > 1
        self._axons = PopulationAxons(self.source_shape[0], encoding) if image else None
        self._targets = np.arange(len(projection.weight)).reshape(image_shape(target_shape))
        self._nonzero = projection.weight != 0
        self._bits = weight_field(projection.weight, encoding) + delay_field(delay)

    def _rows(self, box: Box) -> np.ndarray:
        rows: np.ndarray = self._nonzero[self._targets[as_slices(box)].ravel()]
        return rows

    def use(self, box: Box) -> tuple[int, int]:
        """(synapse memory in bits, input axons) of a core that holds `box`."""
        bits, axons, _ = self._form(box)
        return bits, axons

    def _form(self, box: Box) -> tuple[int, int, Form]:
        """(bits, input axons, form) of the cheapest form."""
        rows = self._rows(box)
        by_neuron = np.count_nonzero(rows, axis=0)
        used = by_neuron[by_neuron > 0]
        indexed = self._bits + index_field(len(rows), self.encoding)
        dense = list_bits(np.full(len(used), len(rows)), self._bits, self.encoding).sum()
        forms = [
            (int(list_bits(used, indexed, self.encoding).sum()), len(used), Form.INDEXED),
            (int(dense), len(used), Form.DENSE),
        ]
        if self._axons:
            by_axon = self._axons.sum_atoms(by_neuron.reshape(self.source_shape))
            bits = int(list_bits(by_axon, indexed, self.encoding).sum())
            forms.append((bits, int(np.count_nonzero(by_axon)), Form.BY_PIXEL))
        return min(forms)

    def lists(self, box: Box) -> tuple[Box, np.ndarray]:
        """(window of the source, int64 [C, H, W] of that window): bits of each neuron's list on the core."""
        rows = self._rows(box)
        synapses = np.count_nonzero(rows, axis=0)
        field = self._bits
        if self._form(box)[2] is Form.DENSE:
            synapses = np.where(synapses, len(rows), 0)
        else:
            field += index_field(len(rows), self.encoding)
        return whole_box(self.source_shape), list_bits(synapses, field, self.encoding).reshape(self.source_shape)

    def touched(self, box: Box) -> tuple[Box, np.ndarray]:
        """(window of the source, bool [C, H, W] of that window): neurons with a synapse in `box`."""
        return whole_box(self.source_shape), self._rows(box).any(axis=0).reshape(self.source_shape)

    def output_axons(self, boxes: list[Box], numbers: np.ndarray, cores: int) -> np.ndarray:
        """Output axons that each source core spends on the cores with `boxes`, int64 [cores].

        Args:
            numbers: source core of each neuron, [C, H, W].
        """
        total = np.zeros(cores, dtype=np.int64)
        for box in boxes:
            window, touched = self.touched(box)
            _, input_axons, form = self._form(box)
            if form is Form.BY_PIXEL:
                assert self._axons is not None
                starts = self._axons.segments(numbers)
                used = np.logical_or.reduceat(touched, starts, axis=0)
                total += self._axons.output_axons(window, used, starts, numbers, cores, input_axons)
            else:
                total += np.bincount(numbers[touched], minlength=cores)
        return total
