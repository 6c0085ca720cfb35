"""Results that a network writes into a buffer, `record[t] = spikes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .layout import Tracked, new_list_axis
from .values import Still, Untold

if TYPE_CHECKING:
    from .recorder import Recorder


def written(recorder: Recorder, buffer: torch.Tensor, dim: int, index: int, tracked: Tracked) -> Tracked:
    """The buffer as a list of values along `dim`, of which entry `index` is `tracked`.

    Entries that were not written yet are what the buffer held, zeros; others are an error if anything depends on them.
    """
    known = recorder.of(buffer)
    if known is None or len(known.dims[dim]) != 1 or known.dims[dim][0].kind != "list":
        axis = new_list_axis(buffer.shape[dim])
        values = np.empty((axis.size, *tracked.values.shape), dtype=object)
        missing = Untold((), recorder.where, "a buffer is read before it was written", "write each entry first")
        still = Still(tracked.all()[0].shape)
        for place in np.ndindex(values.shape):
            values[place] = missing if buffer.select(dim, place[0]).any() else still
        known = Tracked((*tracked.dims[:dim], (axis,), *tracked.dims[dim:]), values, (axis.key, *tracked.lists))
    known.values[index] = tracked.values if tracked.values.shape else tracked.values[()]
    return known
