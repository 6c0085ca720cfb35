"""Who fired when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dalif_deploy.plots.axes import axes_or_new
from dalif_deploy.plots.recorded import RecordedRun, recorded

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def raster(recording: RecordedRun, layer: str, *, sample: int = 0, axes: Axes | None = None) -> Axes:
    """A dot a spike: step across, neuron (channels first, C order) up.

    Args:
        recording: a file of `dalif-simulate --record`, or a run in memory with `spikes`.
        sample: counted from 0.
        axes: to draw on; by default those of a new figure.

    Raises:
        UserError: no such layer or sample; matplotlib is not installed.
    """
    spikes = recorded(recording, layer, "spikes", sample)
    steps, neurons = np.nonzero(spikes.reshape(len(spikes), -1))
    axes = axes_or_new(axes)
    from matplotlib.ticker import MaxNLocator

    axes.scatter(steps, neurons, s=4, marker="|" if len(spikes) > 30 else "o", linewidths=0.8)
    count = int(np.prod(spikes.shape[1:]))
    axes.set(xlim=(-0.5, len(spikes) - 0.5), ylim=(-0.5, count - 0.5), xlabel="step", ylabel="neuron")
    axes.set_title(f"{layer}: {len(steps):,} spikes of {count:,} neurons in {len(spikes)} steps")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return axes
