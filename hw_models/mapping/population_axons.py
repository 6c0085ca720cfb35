"""Population axons: one axon a source pixel, whose messages carry the channel as an atom.

From nengo-loihi, block.py (Axon, Synapse.axon_bits): a short message ("pop16") names an axon of its target core by 10
bits and an atom by 5; each atom bit more, up to 9, is taken from the axon's. A long one ("pop32") takes two slots of
its source core's output axons. Further channels than atoms make further axons.
"""

from __future__ import annotations

import numpy as np

from ..chips.description import SynapseEncoding
from .core_box import Box, as_slices


class PopulationAxons:
    """The axons of one source with `channels` channels."""

    def __init__(self, channels: int, encoding: SynapseEncoding):
        atoms = min(channels, 1 << encoding.max_atom_bits)
        self._starts = np.arange(0, channels, atoms)
        extra = max(0, (atoms - 1).bit_length() - encoding.atom_bits)
        self._short_names = 1 << max(0, encoding.axon_id_bits - extra)
        self._wide_slots = encoding.wide_axon_slots

    def sum_atoms(self, by_channel: np.ndarray) -> np.ndarray:
        """Sums over the atoms of each axon of a pixel: [C, ...] to [axons a pixel, ...]."""
        return np.add.reduceat(by_channel, self._starts, axis=0)

    def segments(self, numbers: np.ndarray) -> np.ndarray:
        """First channels of runs that lie on one source core and in one axon; `numbers` [C, H, W]: core of a neuron."""
        return np.union1d(1 + np.flatnonzero(np.diff(numbers[:, 0, 0])), self._starts)

    def output_axons(
        self,
        window: Box,
        used: np.ndarray,
        starts: np.ndarray,
        numbers: np.ndarray,
        cores: int,
        input_axons: int,
    ) -> np.ndarray:
        """Slots that each source core spends on one target core, int64 [cores].

        Args:
            window: where `used` lies in the source.
            used: pixels with a synapse on the target core, bool [segments, H, W] of the window.
            starts: the segments.
            numbers: source core of each neuron, [C, H, W] of the whole source.
            cores: number of source cores.
            input_axons: axons of this projection at the target core, which decide between short and long messages.
        """
        inside = numbers[starts][(slice(None), *as_slices(window)[1:])]
        slots = 1 if input_axons <= self._short_names else self._wide_slots
        return np.bincount(inside[used], minlength=cores) * slots
