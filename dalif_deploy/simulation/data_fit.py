"""Whether samples are such as the network was made for; what can't be meant is an error, what may be a warning."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.converters.nir_file import graph_metadata
from dalif_deploy.hw_models.chip_network.form import ChipNetwork
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
    made_for = _of_integers(artefact.network) if integers and artefact.compiled else _of_graph(artefact)
    shapes = made_for.shapes
    asked = steps_of(by_input(take_samples(inputs, slice(1)), shapes)) or steps
    if made_for.network is not None and asked is not None:
        require_steps(made_for.network, asked)
    data = by_input(take_samples(inputs, slice(LOOKED_AT)) if _lazy(inputs) else inputs, shapes)
    for name, (array, _) in data.items():
        _values(made_for, name, array)
    if labels is not None:
        _labels(made_for, labels)


def warn_if_silent(fired: bool, where: Path) -> None:
    """Accuracy and energy of a network in which nothing fires are those of no network.

    Args:
        fired: whether any neuron did, on all samples.
        where: the exported folder.

    Warns:
        FitWarning: none did.
    """
    if not fired:
        what = "no neuron fired on these samples, so the figures say nothing of the network"
        _warn(f"{what}; see dalif-export's warnings: are --dt and the data right?", str(where))


@dataclass
class _MadeFor:
    """What the network was made for; from one of the folder's files, so that the other need not be read.

    Attributes:
        shapes: input -> shape.
        ranges: input -> lowest and highest value; None where nobody said, and for spikes.
        classes: places of the output; None with several.
        network: the integers, where they are what runs.
    """

    shapes: dict[str, tuple[int, ...]]
    ranges: dict[str, tuple[float, float] | None]
    classes: int | None
    network: ChipNetwork | None = None


def _of_integers(network: ChipNetwork) -> _MadeFor:
    outputs = [network.populations[output.population] for output in network.outputs.values()]
    return _MadeFor(
        {name: item.shape for name, item in network.inputs.items()},
        {name: _ends(item.lowest, item.highest) for name, item in network.inputs.items()},
        outputs[0].size if len(outputs) == 1 else None,
        network,
    )


def _of_graph(artefact: Artefact) -> _MadeFor:
    shapes = _shapes(artefact.reference, nir.Input)
    outputs = list(_shapes(artefact.reference, nir.Output).values())
    promised = artefact.export.get("promises", {}).get("inputs")
    ranges: dict[str, tuple[float, float] | None]
    if promised is None:
        highest = graph_metadata(artefact.reference, "input_highest")
        ranges = dict.fromkeys(shapes, None if highest is None else (0.0, float(highest)))
    else:
        ranges = {name: _ends(item["lowest"], item["highest"]) for name, item in promised.items()}
    return _MadeFor(shapes, ranges, int(np.prod(outputs[0])) if len(outputs) == 1 else None)


def _ends(lowest: float | None, highest: float | None) -> tuple[float, float] | None:
    return None if lowest is None or highest is None else (lowest, highest)


def _values(made_for: _MadeFor, name: str, array: np.ndarray) -> None:
    expected = made_for.ranges.get(name)
    if expected is None or not array.size:
        return
    chip_input = None if made_for.network is None else made_for.network.inputs[name]
    if chip_input is not None:
        require_in_range(chip_input, array)
    (low, high), (lowest, highest) = (float(array.min()), float(array.max())), expected
    if far_beyond(array, expected):
        raise out_of_range((low, high), expected, name)
    slack = 0.5 * chip_input.step if chip_input is not None and chip_input.mode == "graded" else None
    beyond = share_beyond(array, expected, slack=slack)
    if beyond:
        _warn(f"{out_of_range((low, high), expected, name).what} ({beyond:.2%} of them lie beyond)", name)
    elif max(abs(low), abs(high)) < FAINT * max(abs(lowest), abs(highest)):
        _warn(
            f"the data's values reach from {low:.4g} to {high:.4g} only, the network was made for {lowest:.4g} to "
            f"{highest:.4g}",
            name,
        )


def _labels(made_for: _MadeFor, labels: np.ndarray) -> None:
    classes = made_for.classes
    if classes is None or not len(labels):
        return
    low, high = int(labels.min()), int(labels.max())
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
