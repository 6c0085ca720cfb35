"""Samples for networks with one input or several: an array, or a dict of arrays by the inputs' names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import UserError

InputData = np.ndarray | Mapping[str, np.ndarray]


def by_input(data: InputData, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[np.ndarray, bool]]:
    """Input name -> (samples, whether they change over time).

    Args:
        data: [N, *shape] (the same at each step) or [N, T, *shape], an array where there is one input.
        shapes: name -> shape of each input of the network.

    Raises:
        UserError: an input without data, data without an input, a wrong shape, unequal numbers of samples or steps.
    """
    if not isinstance(data, Mapping):
        if len(shapes) != 1:
            raise UserError(
                f"the network has {len(shapes)} inputs ({', '.join(shapes)}), but the data is one array",
                remedy="give an array for each input, in a .npz as input.NAME",
            )
        data = dict.fromkeys(shapes, data)
    if set(data) != set(shapes):
        raise UserError(
            f"data for {', '.join(sorted(data))}, the network's inputs are {', '.join(sorted(shapes))}",
            remedy="give an array for each input, by its name",
        )
    checked = {name: _checked(name, np.asarray(data[name]), shape) for name, shape in shapes.items()}
    _one_size({len(array) for array, _ in checked.values()}, "samples")
    _one_size({array.shape[1] for array, moving in checked.values() if moving}, "steps")
    return checked


def sample_count(data: InputData) -> int:
    """Number of samples.

    Raises:
        UserError: inputs with unequal numbers.
    """
    if not isinstance(data, Mapping):
        return len(data)
    _one_size({len(array) for array in data.values()}, "samples")
    return len(next(iter(data.values())))


def take_samples(data: InputData, samples: slice) -> InputData:
    """A range of samples."""
    if isinstance(data, Mapping):
        return {name: array[samples] for name, array in data.items()}
    return data[samples]


def steps_of(checked: Mapping[str, tuple[np.ndarray, bool]]) -> int | None:
    """Steps of a sample where the data says so; None where all of it is the same at each step."""
    return next((array.shape[1] for array, moving in checked.values() if moving), None)


def _checked(name: str, data: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, bool]:
    if data.shape[1:] == shape:
        return data, False
    if data.ndim == len(shape) + 2 and data.shape[2:] == shape:
        return data, True
    wanted = ", ".join(map(str, shape))
    raise UserError(
        f"data of shape {list(data.shape)} does not fit the network's input {list(shape)}",
        where=name,
        remedy=f"give [N, {wanted}] or [N, T, {wanted}]",
    )


def _one_size(sizes: Iterable[int], what: str) -> None:
    sizes = sorted(sizes)
    if len(sizes) > 1:
        raise UserError(f"inputs with different numbers of {what}: {sizes}", remedy="give all inputs the same number")
