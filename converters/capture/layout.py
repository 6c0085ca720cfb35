"""Which axis of a tensor is the batch, which are lists of values (time), and which belong to one value."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from .values import Operation, Value

_keys = itertools.count()


class Axis(NamedTuple):
    """`key` tells list axes apart."""

    kind: Literal["batch", "list", "feature"]
    size: int
    key: int = -1


@dataclass(frozen=True)
class Tracked:
    """A tensor of a run.

    Attributes:
        dims: what each dimension is made of, outermost first; () is a dimension of size 1 of no meaning.
        values: object array, an axis for each of `lists`.
        lists: keys of the list axes.
    """

    dims: tuple[tuple[Axis, ...], ...]
    values: Any  # np.ndarray of dtype object
    lists: tuple[int, ...] = ()

    @property
    def features(self) -> tuple[int, ...]:
        """Shape of one value as its axes lie in `dims`."""
        return tuple(axis.size for dim in self.dims for axis in dim if axis.kind == "feature")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return tuple(math.prod(axis.size for axis in dim) for dim in self.dims)

    def mapped(self, function: Callable[[Value], Value], dims: tuple[tuple[Axis, ...], ...] | None = None) -> Tracked:
        """`function` of each value; values that are one object stay one."""
        done: dict[int, Value] = {}
        values = np.empty(self.values.shape, dtype=object)
        for place in np.ndindex(self.values.shape):
            value: Value = self.values[place]
            if id(value) not in done:
                done[id(value)] = function(value)
            values[place] = done[id(value)]
        return Tracked(self.dims if dims is None else dims, values, self.lists)

    def all(self) -> list[Value]:
        """Every value."""
        return list(self.values.reshape(-1))


class LayoutError(Exception):
    """Axes of batch, time and features can't be told apart after an operation."""


def single(value: Value, batch: int) -> Tracked:
    """[N, *shape] of one value."""
    values = np.empty((), dtype=object)
    values[()] = value
    return Tracked(((Axis("batch", batch),), *((Axis("feature", n),) for n in value.shape)), values)


def listed(values: list[Value], batch: int, axis: int) -> Tracked:
    """A tensor of values of several steps; time is its dimension `axis`."""
    held = np.empty(len(values), dtype=object)
    held[:] = values
    time = Axis("list", len(values), next(_keys))
    dims = [(Axis("batch", batch),), *((Axis("feature", n),) for n in values[0].shape)]
    dims.insert(axis, (time,))
    return Tracked(tuple(dims), held, (time.key,))


def new_list_axis(size: int) -> Axis:
    """A list axis unlike all others."""
    return Axis("list", size, next(_keys))


def reshaped_value(value: Value, shape: tuple[int, ...], name: str = "reshape") -> Value:
    """The same numbers in another shape."""
    if value.shape == shape:
        return value
    if isinstance(value, Operation) and value.kind == "reshape":
        return reshaped_value(value.inputs[0], shape, value.name)
    return Operation(shape, "reshape", name, (value,))


def with_features(t: Tracked, lead: int, name: str) -> Tracked:
    """The same tensor with all dimensions from `lead` on being features, one axis each, and none before.

    Raises:
        LayoutError: batch or time lies within them.
    """
    for dim in t.dims[:lead]:
        if any(axis.kind == "feature" and axis.size > 1 for axis in dim):
            raise LayoutError
    for dim in t.dims[lead:]:
        if any(axis.kind != "feature" for axis in dim):
            raise LayoutError
    shape = t.shape[lead:]
    dims = tuple(tuple(axis for axis in dim if axis.kind != "feature") for dim in t.dims[:lead])
    dims += tuple((Axis("feature", n),) for n in shape)
    return t.mapped(lambda value: reshaped_value(value, shape, name), dims)


def regrouped(t: Tracked, shape: tuple[int, ...], name: str) -> Tracked:
    """The tensor viewed in another shape.

    Raises:
        LayoutError: batch or time is torn apart.
    """
    factors = [axis for dim in t.dims for axis in dim]
    rest: list[Axis] = list(factors)
    dims: list[tuple[Axis, ...]] = []
    for place, size in enumerate(shape):
        dim: list[Axis] = []
        left = size
        if size == 1 and rest and rest[0][:2] == ("feature", 1):
            dims.append((rest.pop(0),))
            continue
        while left > 1 and rest:
            axis = rest[0]
            if axis[:2] == ("feature", 1):
                rest.pop(0)  # absorbed
            elif left % axis.size == 0:
                dim.append(rest.pop(0))
                left //= axis.size
            elif axis.kind == "feature" and axis.size % left == 0:
                dim.append(Axis("feature", left))
                rest[0] = Axis("feature", axis.size // left)
                left = 1
            elif axis.kind == "feature" and len(rest) > 1 and rest[1].kind == "feature":
                rest[:2] = [Axis("feature", axis.size * rest[1].size)]
            else:
                raise LayoutError
        if left != 1:
            raise LayoutError
        waiting_ones = rest and rest[0].size == 1 and rest[0].kind != "feature" and size == 1
        if waiting_ones and _prod_from(shape, place + 1) == math.prod(a.size for a in rest):
            dim.append(rest.pop(0))
        dims.append(tuple(dim))
    for axis in rest:  # batch or time of size 1 without a place
        if axis.size != 1:
            raise LayoutError
        if axis.kind == "feature":
            continue
        dims[0] = (axis, *dims[0])
    merged = tuple(_merge_features(dim) for dim in dims)
    features = tuple(a.size for dim in merged for a in dim if a.kind == "feature")
    return t.mapped(lambda value: reshaped_value(value, features, name), merged)


def _prod_from(shape: tuple[int, ...], start: int) -> int:
    return math.prod(shape[start:])


def _merge_features(dim: tuple[Axis, ...]) -> tuple[Axis, ...]:
    out: list[Axis] = []
    for axis in dim:
        if axis.kind == "feature" and out and out[-1].kind == "feature":
            out[-1] = Axis("feature", out[-1].size * axis.size)
        else:
            out.append(axis)
    return tuple(out)


def permuted(t: Tracked, order: list[int], name: str) -> Tracked:
    """The tensor with its dimensions in another order."""
    dims = tuple(t.dims[i] for i in order)
    before = [i for i, dim in enumerate(t.dims) for axis in dim if axis.kind == "feature"]
    numbered: dict[int, list[int]] = {}
    for number, dim in enumerate(before):
        numbered.setdefault(dim, []).append(number)
    feature_order = [n for i in order for n in numbered.get(i, [])]
    if feature_order == sorted(feature_order):
        return replace(t, dims=dims)
    sizes = t.features
    shape = tuple(sizes[i] for i in feature_order)

    def turned(value: Value) -> Value:
        plain = reshaped_value(value, sizes, name)
        if tuple(n for n in shape if n > 1) == tuple(
            n for n, i in zip(shape, feature_order, strict=True) if n > 1
        ) and [i for i in feature_order if sizes[i] > 1] == sorted(i for i in feature_order if sizes[i] > 1):
            return reshaped_value(plain, shape, name)
        return Operation(shape, "permute", name, (plain,), {"order": tuple(feature_order)})

    return t.mapped(turned, dims)


def selected(t: Tracked, dim: int, index: int) -> Tracked:
    """One entry of a list axis that is a dimension of its own.

    Raises:
        LayoutError: the dimension is none.
    """
    (axis,) = _own_list(t, dim)
    place = t.lists.index(axis.key)
    return Tracked(
        t.dims[:dim] + t.dims[dim + 1 :],
        _object(t.values.take(index, axis=place)),
        t.lists[:place] + t.lists[place + 1 :],
    )


def sliced(t: Tracked, dim: int, index: slice) -> Tracked:
    """Some entries of a list axis."""
    (axis,) = _own_list(t, dim)
    place = t.lists.index(axis.key)
    values = t.values[(slice(None),) * place + (index,)]
    fresh = new_list_axis(values.shape[place])
    return Tracked(
        (*t.dims[:dim], (fresh,), *t.dims[dim + 1 :]), values, (*t.lists[:place], fresh.key, *t.lists[place + 1 :])
    )


def tensors_of(t: Tracked, tensor: torch.Tensor) -> Any:
    """The numbers of each value, [N, *features]: an object array as `values` is."""
    axes = [axis for dim in t.dims for axis in dim]
    split = tensor.detach().reshape([axis.size for axis in axes])
    lists = [next(i for i, a in enumerate(axes) if a.kind == "list" and a.key == key) for key in t.lists]
    batches = [i for i, axis in enumerate(axes) if axis.kind == "batch"]
    features = [i for i, axis in enumerate(axes) if axis.kind == "feature"]
    split = split.permute([*lists, *batches, *features])
    found = np.empty(t.values.shape, dtype=object)
    for place in np.ndindex(found.shape):
        found[place] = split[place]
    return found


def every_step(t: Tracked, tensor: torch.Tensor) -> np.ndarray:
    """The numbers with the batch first and time, if there is any, after it: [N, (T,) ...], float64."""
    axes = [axis for dim in t.dims for axis in dim]
    order = [i for kind in ("batch", "list", "feature") for i, axis in enumerate(axes) if axis.kind == kind]
    return np.asarray(tensor.detach().double().reshape([axis.size for axis in axes]).permute(order).numpy())


def is_list(t: Tracked, dim: int) -> bool:
    """True if the dimension is a list axis and nothing else."""
    return len(t.dims[dim]) == 1 and t.dims[dim][0].kind == "list"


def _own_list(t: Tracked, dim: int) -> tuple[Axis]:
    if not is_list(t, dim):
        raise LayoutError
    return (t.dims[dim][0],)


def _object(values: object) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values
    held = np.empty((), dtype=object)
    held[()] = values
    return held


def aligned(tensors: list[Tracked]) -> list[Tracked]:
    """Tensors of one shape brought to the same axes: lists get the same keys, and what has no list is repeated.

    Raises:
        LayoutError: the shapes are made of different axes.
    """
    rank = max(len(t.dims) for t in tensors)
    padded = [replace(t, dims=((),) * (rank - len(t.dims)) + t.dims) for t in tensors]
    dims: list[tuple[Axis, ...]] = []
    renamed: list[dict[int, int]] = [{} for _ in tensors]
    for column in zip(*(t.dims for t in padded), strict=True):
        widest = max(column, key=lambda dim: (math.prod(a.size for a in dim), len(dim)))
        for i, dim in enumerate(column):
            if [a[:2] for a in dim if a.size > 1] == [a[:2] for a in widest if a.size > 1]:
                theirs = (a for a in widest if a.kind == "list")
                for a, b in zip((a for a in dim if a.kind == "list"), theirs, strict=False):
                    renamed[i][a.key] = b.key
            elif math.prod(a.size for a in dim) != 1 or any(a.kind != "list" for a in widest):
                raise LayoutError
        dims.append(widest)
    lists = tuple(a.key for dim in dims for a in dim if a.kind == "list")
    sizes = {a.key: a.size for dim in dims for a in dim if a.kind == "list"}
    out = []
    for t, names in zip(padded, renamed, strict=True):
        own = [names.get(key, key) for key in t.lists]
        kept = [i for i, key in enumerate(own) if key in lists]
        values = t.values
        for i in reversed(range(len(own))):
            if i not in kept:
                values = _object(values.take(0, axis=i))
        own = [own[i] for i in kept]
        order = sorted(range(len(own)), key=lambda i: lists.index(own[i]))
        values = values.transpose(order) if own else values
        own = [own[i] for i in order]
        values = values.reshape([sizes[k] if k in own else 1 for k in lists])
        values = np.broadcast_to(values, [sizes[k] for k in lists])
        out.append(Tracked(tuple(dims), values, lists))
    return out
