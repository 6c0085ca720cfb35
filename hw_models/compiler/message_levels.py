"""How finely a graded input is divided into levels: as finely as its synapses' weights, not finer.

Where a register bounds the scale of a layer, a message of many levels leaves few for each weight: the weight of one
level is small. Both are rounded, and the sum of both errors is least where they are alike.
"""

from __future__ import annotations

import numpy as np

from ..chip_network.form import ChipInput, Projection
from .choose_scale import weight_grid

# root mean square of a message that is evenly spread over 0..1, as a part of its largest
SPREAD_MESSAGE = 0.58


def step_doublings(chip_input: ChipInput, projections: list[Projection], weight_bits: int) -> int:
    """How many times the input's step should double (halving its levels) so that weights and messages round alike.

    Args:
        projections: synapses that the input drives, rounded with its present step.
    """
    best = None
    for projection in projections:
        weight = np.abs(projection.weight[projection.weight != 0].astype(np.float64)) * 2.0**projection.weight_exp
        if weight.size == 0:
            # all of it rounded to nothing: as far as the messages allow
            room, wanted = np.inf, np.log2(max(1, chip_input.max_level)) / 2
        else:
            grid = weight_grid(projection.weight, weight_bits)
            room = np.log2(grid.full / weight.max())
            levels = SPREAD_MESSAGE * max(abs(chip_input.min_level), abs(chip_input.max_level))
            wanted = 0.5 * np.log2(levels * grid.step / np.sqrt((weight**2).mean()))
        doublings = max(0, int(np.floor(min(room, wanted))))
        best = doublings if best is None else min(best, doublings)
    return best or 0
