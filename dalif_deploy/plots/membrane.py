"""A membrane against its threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.plots.axes import axes_or_new
from dalif_deploy.plots.recorded import RecordedRun, recorded

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def membrane(
    recording: RecordedRun,
    layer: str,
    neuron: int | tuple[int, ...],
    threshold: float | None = None,
    *,
    sample: int = 0,
    axes: Axes | None = None,
) -> Axes:
    """The membrane after the reset of each step, a mark at each spike, and the threshold.

    Args:
        recording: a file of `dalif-simulate --record`, or a run in memory with `membrane` and `spikes`.
        neuron: its place in the layer's shape, or its number in C order.
        threshold: in the recording's own units: integers of a chip (64 * vth), or the trained network's.
        sample: counted from 0.
        axes: to draw on; by default those of a new figure.

    Raises:
        UserError: no such layer, neuron or sample; matplotlib is not installed.
    """
    values = recorded(recording, layer, "membrane", sample)
    spikes = recorded(recording, layer, "spikes", sample)
    shape = values.shape[1:]
    place = (neuron,) if isinstance(neuron, int) else tuple(neuron)
    try:
        number = place[0] if len(place) == 1 else int(np.ravel_multi_index(place, shape))
        if not 0 <= number < int(np.prod(shape)):
            raise ValueError
    except ValueError as error:
        what = f"no neuron {neuron} in a layer of shape {list(shape)}"
        raise UserError(what, where=layer, remedy="count each axis from 0") from error
    values, fired = values.reshape(len(values), -1)[:, number], spikes.reshape(len(spikes), -1)[:, number] > 0
    axes = axes_or_new(axes)
    steps = np.arange(len(values))
    axes.plot(steps, values, drawstyle="steps-mid", label="membrane after the reset")
    if threshold is not None:
        axes.axhline(threshold, color="C3", linestyle="--", linewidth=1, label="threshold")
    height = values.max(initial=0) if threshold is None else threshold
    axes.plot(steps[fired], np.full(int(fired.sum()), height), "v", color="C1", label="spike")
    axes.set(xlabel="step", ylabel="membrane", title=f"{layer}, neuron {neuron}")
    axes.legend(loc="best")
    return axes
