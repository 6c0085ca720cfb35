"""A NIR Delay node, which is given in seconds, in steps."""

from __future__ import annotations

import nir
import numpy as np

from ..errors import UserError
from ..neurons.recurrence import compact


def delay_steps(name: str, node: nir.Delay, dt: float) -> np.ndarray:
    """Steps that a Delay takes at `dt` seconds a step: int64, shape () where all neurons share one delay.

    Raises:
        UserError: a negative delay.
    """
    steps = np.rint(np.asarray(node.delay, dtype=np.float64) / dt).astype(np.int64)
    if (steps < 0).any():
        raise UserError(f"a delay of {np.min(node.delay):g} s", where=name, remedy="use delays of 0 or more")
    return compact(steps)
