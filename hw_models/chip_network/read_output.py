"""An output's integers, gathered a step at a time by engines that see spikes and membranes."""

from __future__ import annotations

import numpy as np

from .form import SYNAPSE_SHIFT, ChipOutput, Population


def add_step(
    output: ChipOutput,
    population: Population,
    kept: np.ndarray,
    spikes: np.ndarray,
    membrane: np.ndarray,
    *,
    step: int,
    steps: int,
) -> None:
    """Takes one step into `kept`, in place.

    Args:
        population: that the output reads.
        kept: int64 [..., *shape], zeros before the first step; after the last, what `Recording.outputs` holds.
        spikes, membrane: of this step, [..., *shape], the membrane after the reset.
        step: 0 to `steps` - 1.
    """
    if output.kept == "last" and step < steps - 1:
        return
    values = (spikes if output.mode == "count" else membrane).astype(np.int64)
    if output.mode == "membrane_before_reset":
        values = values + spikes.astype(np.int64) * (population.vth << SYNAPSE_SHIFT)
    if output.kept == "sum":
        kept += values
    elif output.kept == "max" and step:
        np.maximum(kept, values, out=kept)
    else:
        kept[...] = values
