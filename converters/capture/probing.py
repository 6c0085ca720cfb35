"""An operation that is linear in one value, as a matrix, found by pushing a basis through it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dalif_deploy.hw_models.errors import UserError

from .layout import Axis, LayoutError, Tracked, reshaped_value
from .values import Operation, Value

if TYPE_CHECKING:
    from .recorder import Recorder

LARGEST = 1 << 26  # entries of a matrix


def probed(recorder: Recorder, known: Tracked, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """`func`, which acts on the features of its first argument only, applied to each value.

    Raises:
        LayoutError: it acts on batch or time too, or is not linear.
    """
    lead = next((i for i, dim in enumerate(known.dims) if any(a.kind == "feature" for a in dim)), len(known.dims))
    if any(a.kind != "feature" for dim in known.dims[lead:] for a in dim):
        raise LayoutError
    while lead > 1 and not known.dims[lead - 1]:  # an axis of size 1 that the operation may stretch
        lead -= 1
    given = known.shape[lead:]
    if tuple(out.shape[:lead]) != known.shape[:lead]:
        raise LayoutError
    shape = tuple(out.shape[lead:])
    name = recorder.where or func.overloadpacket.__name__
    kind = func.overloadpacket.__name__
    matrix = _matrix(func, args, kwargs, given, shape, len(known.shape) - len(given), name)
    picks = bool(((matrix == 0) | (matrix == 1)).all() and (matrix.sum(1) <= 1).all())

    def applied(value: Value) -> Value:
        return Operation(
            shape, "matrix", name, (reshaped_value(value, given, name),), {"of": kind, "weight": matrix, "picks": picks}
        )

    dims = tuple(tuple(a for a in dim if a.kind != "feature") for dim in known.dims[:lead])
    return known.mapped(applied, (*dims, *((Axis("feature", n),) for n in shape)))


def stretched(known: Tracked, shape: tuple[int, ...], name: str) -> Tracked:
    """Features that a tensor of `shape` repeats, repeated; everything else is left as it is."""
    if len(shape) != len(known.dims) or known.shape == shape:
        return known
    lead = next((i for i, dim in enumerate(known.dims) if any(a.kind == "feature" for a in dim)), len(known.dims))
    while lead > 1 and not known.dims[lead - 1] and shape[lead - 1] > 1:
        lead -= 1
    given, wanted = known.shape[lead:], shape[lead:]
    features_only = all(a.kind == "feature" for dim in known.dims[lead:] for a in dim)
    if not features_only or known.shape[:lead] != shape[:lead] or math.prod(given) * math.prod(wanted) > LARGEST:
        return known
    taken = np.broadcast_to(np.arange(math.prod(given)).reshape(given), wanted).ravel()
    matrix = np.zeros((taken.size, math.prod(given)))
    matrix[np.arange(taken.size), taken] = 1
    parameters = {"of": "expand", "weight": matrix, "picks": True}

    def applied(value: Value) -> Value:
        return Operation(wanted, "matrix", name, (reshaped_value(value, given, name),), parameters)

    return known.mapped(applied, (*known.dims[:lead], *((Axis("feature", n),) for n in wanted)))


def _matrix(
    func: Any, args: Any, kwargs: Any, given: tuple[int, ...], shape: tuple[int, ...], lead: int, name: str
) -> np.ndarray:
    columns, rows = math.prod(given), math.prod(shape)
    if rows * columns > LARGEST:
        raise UserError(
            f"NIR has no node for {func.overloadpacket.__name__}, and its matrix of {rows} x {columns} is too large",
            where=name,
            remedy="use another form of it (a strided convolution, zero padding), or a smaller image",
        )
    basis = torch.eye(columns, dtype=torch.float64).reshape(columns, *[1] * (lead - 1), *given)
    with torch.utils._python_dispatch._disable_current_modes():
        zero = func(torch.zeros_like(basis[:1]), *args[1:], **kwargs)
        moved = func(basis, *args[1:], **kwargs).reshape(columns, rows)
    if zero.any():
        raise LayoutError
    return np.ascontiguousarray(moved.numpy().T)
