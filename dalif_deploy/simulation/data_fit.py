"""Whether samples are such as the network was made for; what can't be meant is an error, what may be a warning."""

from __future__ import annotations

import warnings

import nir
import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.converters.nir_file import graph_metadata
from dalif_deploy.hw_models.errors import FitWarning, UserError
from dalif_deploy.hw_models.samples.encode import require_steps
from dalif_deploy.hw_models.samples.input_data import InputData, by_input, steps_of, take_samples
from dalif_deploy.hw_models.samples.value_range import far_beyond, out_of_range, require_in_range, share_beyond

LOOKED_AT = 512  # samples of a set that is not in memory
FAINT = 1 / 50  # of the range; 8-bit values divided by 255 lie at 1/255 of theirs


def require_fit(
    artefact: Artefact, inputs: InputData, labels: np.ndarray | None, *, steps: int | None = None, integers: bool = True
) -> None:
    """Looks at samples before they are run.

    Args:
        inputs: see `run_reference`.
        labels: [N] classes, or None.
        steps: of a sample, where the data does not say.
        integers: False where float engines alone will run them.

    Raises:
        UserError: values beyond the range, more steps than the export covers, labels outside the classes.

    Warns:
        FitWarning: values that are cut off at an end of the range, or hardly fill it.
    """
    shapes = _shapes(artefact.reference, nir.Input)
    asked = steps_of(by_input(take_samples(inputs, slice(1)), shapes)) or steps
    if integers and artefact.compiled and asked is not None:
        require_steps(artefact.network, asked)
    data = by_input(take_samples(inputs, slice(LOOKED_AT)) if _lazy(inputs) else inputs, shapes)
    for name, (array, _) in data.items():
        _values(artefact, name, array)
    if labels is not None:
        _labels(artefact, labels)


def _values(artefact: Artefact, name: str, array: np.ndarray) -> None:
    expected = _range(artefact, name)
    if expected is None or not array.size:
        return
    if artefact.compiled:
        require_in_range(artefact.network.inputs[name], array)
    (low, high), (lowest, highest) = (float(array.min()), float(array.max())), expected
    if far_beyond(array, expected):
        raise out_of_range((low, high), expected, name)
    rounded = artefact.compiled and artefact.network.inputs[name].mode == "graded"
    beyond = share_beyond(array, expected, slack=0.5 * artefact.network.inputs[name].step if rounded else None)
    if beyond:
        _warn(f"{out_of_range((low, high), expected, name).what} ({beyond:.2%} of them lie beyond)", name)
    elif max(abs(low), abs(high)) < FAINT * max(abs(lowest), abs(highest)):
        _warn(
            f"the data's values reach from {low:.4g} to {high:.4g} only, the network was made for {lowest:.4g} to "
            f"{highest:.4g}",
            name,
        )


def _range(artefact: Artefact, name: str) -> tuple[float, float] | None:
    """Lowest and highest value that the network was made for; None where nobody said, and for spikes."""
    if artefact.compiled:
        chip_input = artefact.network.inputs.get(name)
        if chip_input is None or chip_input.lowest is None or chip_input.highest is None:
            return None
        return chip_input.lowest, chip_input.highest
    highest = graph_metadata(artefact.reference, "input_highest")
    return None if highest is None else (0.0, float(highest))


def _labels(artefact: Artefact, labels: np.ndarray) -> None:
    outputs = list(_shapes(artefact.reference, nir.Output).values())
    if len(outputs) != 1 or not len(labels):
        return
    classes, low, high = int(np.prod(outputs[0])), int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise UserError(
            f"labels {low} to {high}, but the network has {classes} classes, 0 to {classes - 1}",
            where="labels",
            remedy="count classes from 0, or take the data that the network was trained on",
        )


def _shapes(graph: nir.NIRGraph, kind: type) -> dict[str, tuple[int, ...]]:
    side = "output" if kind is nir.Input else "input"
    types = {name: node.output_type if kind is nir.Input else node.input_type for name, node in graph.nodes.items()}
    return {n: tuple(map(int, types[n][side])) for n, node in graph.nodes.items() if isinstance(node, kind)}


def _lazy(inputs: InputData) -> bool:
    return not isinstance(inputs, np.ndarray | dict)


def _warn(what: str, where: str) -> None:
    warnings.warn(f"{where}: {what}", FitWarning, stacklevel=2)
