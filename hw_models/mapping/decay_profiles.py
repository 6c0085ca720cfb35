"""Decays that differ on a core: neurons share a few profiles, each a pair of du and dv."""

from __future__ import annotations

import numpy as np

from ..chip_network.form import DECAY_UNITY, Population
from .core_box import Box, as_slices, image_shape


class DecayProfiles:
    """Counts the profiles that a box of a population needs."""

    def __init__(self, population: Population):
        codes = population.du.astype(np.int64) * DECAY_UNITY + population.dv
        self._alike = bool((codes == codes.flat[0]).all())
        self._codes = np.broadcast_to(codes, population.shape).reshape(image_shape(population.shape))

    def count(self, box: Box) -> int:
        """Different pairs among the neurons of the box."""
        return 1 if self._alike else len(np.unique(self._codes[as_slices(box)]))
