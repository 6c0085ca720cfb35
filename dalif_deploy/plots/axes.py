"""The axes that a picture is drawn on."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from dalif_deploy.hw_models.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_or_new(axes: Axes | None) -> Axes:
    """The axes given, or those of a new figure.

    Raises:
        UserError: matplotlib is not installed.
    """
    if axes is not None:
        return axes
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("plots need matplotlib", remedy="pip install 'dalif-deploy[plot]'")
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]
