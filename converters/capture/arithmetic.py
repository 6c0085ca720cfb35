"""Sums, differences and constant factors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .layout import LayoutError, Tracked, aligned, reshaped_value
from .probing import stretched
from .values import Operation, Value, is_binary, is_not_negative

if TYPE_CHECKING:
    from .recorder import Recorder


def added(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Any:
    """a + alpha * b, a - alpha * b, b - alpha * a."""
    name = func.overloadpacket.__name__.rstrip("_")
    a, b = args[:2]
    alpha = float(kwargs.get("alpha", args[2] if len(args) > 2 else 1))
    factors = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}[name]
    one, two = recorder.of(a), recorder.of(b)
    where = recorder.where or name
    if one is not None and two is not None:
        return _sum(where, one, two, factors, out)
    known, constant = (one, b) if one is not None else (two, a)
    own, other = factors if one is not None else factors[::-1]
    assert known is not None
    return scaled_and_shifted(where, known, torch.as_tensor(own), torch.as_tensor(constant) * other, out)


def multiplied(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Any:
    """a * b, where one is constant; of spikes with spikes, an AND."""
    one, two = recorder.of(args[0]), recorder.of(args[1])
    where = recorder.where or "mul"
    if one is not None and two is not None:
        return product(where, one, two, out)
    known, constant = (one, args[1]) if one is not None else (two, args[0])
    assert known is not None
    return scaled_and_shifted(where, known, torch.as_tensor(constant), torch.as_tensor(0.0), out)


def divided(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Any:
    """a / constant."""
    known = recorder.of(args[0])
    if known is None or recorder.of(args[1]) is not None or kwargs.get("rounding_mode"):
        raise LayoutError
    factor = 1 / torch.as_tensor(args[1], dtype=torch.float64)
    return scaled_and_shifted(recorder.where or "div", known, factor, torch.as_tensor(0.0), out)


def negated(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Any:
    """-a."""
    known = recorder.of(args[0])
    if known is None:
        raise LayoutError
    return scaled_and_shifted(recorder.where or "neg", known, torch.as_tensor(-1.0), torch.as_tensor(0.0), out)


def _sum(where: str, one: Tracked, two: Tracked, factors: tuple[float, float], out: torch.Tensor) -> Tracked:
    a, b = aligned([stretched(each, tuple(out.shape), where) for each in (one, two)])
    values = np.empty(a.values.shape, dtype=object)
    for place in np.ndindex(values.shape):
        terms = []
        for value, factor in ((a.values[place], factors[0]), (b.values[place], factors[1])):
            plain = reshaped_value(value, a.features, where)
            terms.append(plain if factor == 1 else affine(where, plain, np.array(factor), np.array(0.0)))
        values[place] = Operation(a.features, "add", where, tuple(terms))
    if a.shape != tuple(out.shape):
        raise LayoutError
    return Tracked(a.dims, values, a.lists)


def one_minus(where: str, gate: Tracked) -> Tracked:
    """What is 1 where the gate is 0."""
    return gate.mapped(lambda value: affine(where, value, np.asarray(-1.0), np.asarray(1.0)))


def scaled_by(where: str, known: Tracked, scale: torch.Tensor, out: torch.Tensor) -> Tracked:
    """scale * known, which `out` has the shape of."""
    return scaled_and_shifted(where, known, scale, torch.as_tensor(0.0), out)


def total(where: str, one: Tracked, two: Tracked, out: torch.Tensor) -> Tracked:
    """one + two."""
    return _sum(where, one, two, (1.0, 1.0), out)


def product(where: str, one: Tracked, two: Tracked, out: torch.Tensor) -> Tracked:
    """one * two; of spikes with spikes, an AND."""
    a, b = aligned([stretched(each, tuple(out.shape), where) for each in (one, two)])
    # a membrane times (1 - spike) is a reset, which only the neuron's own step can say
    kind = "both" if all(map(is_gate, [*a.all(), *b.all()])) else "product"
    values = np.empty(a.values.shape, dtype=object)
    for place in np.ndindex(values.shape):
        pair = tuple(reshaped_value(v, a.features, where) for v in (a.values[place], b.values[place]))
        values[place] = _signed(*pair) or Operation(a.features, kind, where, pair)
    return Tracked(a.dims, values, a.lists)


def _signed(one: Value, two: Value) -> Value | None:
    """x of sign(x) * |x|."""
    for sign, size in ((one, two), (two, one)):
        if isinstance(sign, Operation) and sign.kind in ("sign", "sgn"):
            (x,) = sign.inputs
            if size is x and is_not_negative(x):
                return x
            if isinstance(size, Operation) and size.kind == "abs" and size.inputs[0] is x:
                return x
    return None


def is_gate(value: Value) -> bool:
    """Binary, or 1 - binary."""
    if is_binary(value):
        return True
    if isinstance(value, Operation) and value.kind == "affine":
        scale, shift = value.parameters["scale"], value.parameters["shift"]
        return bool(np.all(scale == -1) and np.all(shift == 1)) and is_binary(value.inputs[0])
    return False


def affine(where: str, value: Value, scale: np.ndarray, shift: np.ndarray) -> Value:
    """scale * value + shift, both broadcastable against the value."""
    if np.all(scale == 1) and not np.any(shift):
        return value
    if isinstance(value, Operation) and value.kind == "affine":
        inner = value.parameters
        return affine(
            value.name, value.inputs[0], np.asarray(scale * inner["scale"]), np.asarray(scale * inner["shift"] + shift)
        )
    return Operation(value.shape, "affine", where, (value,), {"scale": np.asarray(scale), "shift": np.asarray(shift)})


def scaled_and_shifted(
    where: str, known: Tracked, scale: torch.Tensor, shift: torch.Tensor, out: torch.Tensor
) -> Tracked:
    """scale * known + shift, which `out` has the shape of."""
    if tuple(out.shape) != known.shape:
        missing = out.dim() - len(known.dims)
        known = Tracked(((),) * missing + known.dims, known.values, known.lists)
        if tuple(out.shape) != known.shape:
            raise LayoutError
    scales, shifts = (_per_value(known, c.detach().to(torch.float64)) for c in (scale, shift))
    features = known.features
    if scales.values.size == shifts.values.size == 1:
        a, b = scales.values.flat[0], shifts.values.flat[0]
        return known.mapped(lambda value: affine(where, reshaped_value(value, features, where), a, b))
    values = np.empty(known.values.shape, dtype=object)
    a_all = np.broadcast_to(scales.values, values.shape)
    b_all = np.broadcast_to(shifts.values, values.shape)
    for place in np.ndindex(values.shape):
        values[place] = affine(where, reshaped_value(known.values[place], features, where), a_all[place], b_all[place])
    return Tracked(known.dims, values, known.lists)


def same_for_all_samples(known: Tracked, constant: torch.Tensor) -> np.ndarray:
    """A constant that meets every sample and step of `known` alike, without these axes.

    Raises:
        LayoutError: it differs from sample to sample, or from step to step.
    """
    if constant.dim() > len(known.dims):
        raise LayoutError
    found = _per_value(known, constant).values
    if found.size != 1:
        raise LayoutError
    values = np.asarray(found.flat[0], dtype=np.float64)
    return values.reshape(()) if values.size == 1 else values


class _PerValue:
    def __init__(self, values: np.ndarray):
        self.values = values


def _per_value(known: Tracked, constant: torch.Tensor) -> _PerValue:
    """The part of a constant that meets each value: an object array over the list axes, or of one entry.

    Raises:
        LayoutError: the constant differs from sample to sample.
    """
    array = constant.numpy()
    array = array.reshape((1,) * (len(known.dims) - array.ndim) + array.shape)
    factors = []  # one axis of `array` for each axis of the layout
    shape: list[int] = []
    for dim, size in zip(known.dims, array.shape, strict=True):
        whole = math.prod(a.size for a in dim)
        for axis in dim:
            factors.append(axis)
            shape.append(axis.size if size == whole else 1)
    array = array.reshape(shape)
    for i, axis in enumerate(factors):
        if axis.kind == "batch" and array.shape[i] > 1:
            if (array != array.take([0], axis=i)).any():
                raise LayoutError
            array = array.take([0], axis=i)
        if axis.kind == "list" and array.shape[i] > 1 and (array == array.take([0], axis=i)).all():
            array = array.take([0], axis=i)
    features = [i for i, axis in enumerate(factors) if axis.kind == "feature"]
    lists = [next(i for i, a in enumerate(factors) if a.key == key and a.kind == "list") for key in known.lists]
    batches = [i for i, axis in enumerate(factors) if axis.kind == "batch"]
    array = array.transpose([*lists, *batches, *features])
    outer = array.shape[: len(lists)]
    inner = array.shape[len(lists) + len(batches) :]
    array = array.reshape(*outer, *inner)
    if math.prod(outer) == 1:
        held = np.empty((), dtype=object)
        held[()] = array.reshape(inner)
        return _PerValue(held)
    values = np.empty(outer, dtype=object)
    for place in np.ndindex(outer):
        values[place] = array[place]
    return _PerValue(values)


ARITHMETIC = {
    "add": added,
    "sub": added,
    "rsub": added,
    "mul": multiplied,
    "div": divided,
    "true_divide": divided,
    "neg": negated,
    "logical_and": multiplied,
    "bitwise_and": multiplied,
}
