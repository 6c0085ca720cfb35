"""Pictures that people of the field expect, each a function that gives matplotlib's axes (extra `plot`).

    from dalif_deploy import plots

    plots.raster("run.npz", "block1")                        # of dalif-simulate --record run.npz
    plots.membrane("run.npz", "block1", neuron=(0, 3, 3), threshold=64 * 40)
    plots.decays(dd.load("exported"))

raster.py      who fired when
membrane.py    a membrane against its threshold
decays.py      alpha and beta a layer
recorded.py    what a recording holds of a layer
axes.py        the axes to draw on
"""

from .decays import decays
from .membrane import membrane
from .raster import raster

__all__ = ["decays", "membrane", "raster"]
