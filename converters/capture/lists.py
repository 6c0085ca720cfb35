"""Operations over time: stacks of steps, sums and means over them, repeated inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .layout import LayoutError, Tracked, aligned, is_list, new_list_axis, with_features
from .probing import probed
from .values import Operation, OverTime, Still, Value

if TYPE_CHECKING:
    from .recorder import Recorder


def stacked(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """torch.stack: a new list axis."""
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.dim()
    parts = _tracked(recorder, _with_zeros(recorder, args[0]))
    return _joined([Tracked((*t.dims[:dim], (), *t.dims[dim:]), t.values, t.lists) for t in parts], dim)


def concatenated(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Any:
    """torch.cat: of steps, or of channels."""
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.dim()
    given = [t for t in args[0] if t.numel()]  # an empty tensor that a record starts with
    if any(recorder.of(t) is None and bool(t.any()) for t in given):
        raise LayoutError
    starts = np.cumsum([0, *(t.shape[dim] for t in given)])
    places = [int(a) for a, t in zip(starts, given, strict=False) if recorder.of(t) is not None]
    parts = _tracked(recorder, [t for t in given if recorder.of(t) is not None])  # zeros add nothing
    if len(parts) == len(given) and all(not t.dims[dim] or is_list(t, dim) for t in parts):
        return _joined(parts, dim)
    return _channels(recorder, parts, dim, out, places)


def _with_zeros(recorder: Recorder, tensors: Any) -> Any:
    """Zeros among steps are what a state or a record starts with."""
    like = next((t for t in map(recorder.of, tensors) if t is not None), None)
    for tensor in tensors:
        if recorder.of(tensor) is None and like is not None and tuple(tensor.shape) == like.shape and not tensor.any():
            recorder.track(tensor, like.mapped(lambda value: Still(value.shape)))
    return tensors


def _tracked(recorder: Recorder, tensors: Any) -> list[Tracked]:
    found = [recorder.of(t) for t in tensors]
    if any(t is None for t in found):
        raise LayoutError
    return [t for t in found if t is not None]


def _joined(parts: list[Tracked], dim: int) -> Tracked:
    """Tensors one after the other along a dimension that is a list, or means nothing."""
    without = []
    for t in parts:
        if t.dims[dim]:
            key = t.dims[dim][0].key
            place = t.lists.index(key)
            moved = np.moveaxis(t.values, place, 0)
            rest = t.lists[:place] + t.lists[place + 1 :]
            for i in range(moved.shape[0]):
                each = moved[i]
                if not isinstance(each, np.ndarray):
                    held = np.empty((), dtype=object)
                    held[()] = each
                    each = held
                without.append(Tracked(t.dims[:dim] + t.dims[dim + 1 :], each, rest))
        else:
            without.append(Tracked(t.dims[:dim] + t.dims[dim + 1 :], t.values, t.lists))
    same = aligned(without)
    axis = new_list_axis(len(same))
    values = np.empty((len(same), *same[0].values.shape), dtype=object)
    for i, t in enumerate(same):
        values[i] = t.values if t.values.shape else t.values[()]
    dims = (*same[0].dims[:dim], (axis,), *same[0].dims[dim:])
    return Tracked(dims, values, (axis.key, *same[0].lists))


def _channels(recorder: Recorder, parts: list[Tracked], dim: int, out: torch.Tensor, places: list[int]) -> Tracked:
    name = recorder.where or "cat"
    lead = next(i for i, d in enumerate(parts[0].dims) if any(a.kind == "feature" for a in d))
    lead = min(lead, dim)
    parts = [with_features(t, lead, name) for t in parts]
    bare = aligned([Tracked(t.dims[:lead], t.values, t.lists) for t in parts])
    shape = tuple(out.shape[lead:])
    values = np.empty(bare[0].values.shape, dtype=object)
    for place in np.ndindex(values.shape):
        inputs = tuple(t.values[place] for t in bare)
        values[place] = Operation(shape, "cat", name, inputs, {"axis": dim - lead, "starts": tuple(places)})
    return Tracked((*bare[0].dims, *parts[0].dims[lead:dim], _feature(out.shape[dim]), *parts[0].dims[dim + 1 :]),
                   values, bare[0].lists)  # fmt: skip


def _feature(size: int) -> Any:
    from .layout import Axis

    return (Axis("feature", size),)


def expanded(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Any:
    """expand and repeat: what is repeated along a new axis is a list of one value."""
    known = recorder.of(args[0])
    if known is None:
        raise LayoutError
    dims = ((),) * (out.dim() - len(known.dims)) + known.dims
    shape = Tracked(dims, known.values, known.lists).shape
    added = [i for i, (a, b) in enumerate(zip(shape, out.shape, strict=True)) if a != b]
    if not added:
        return Tracked(dims, known.values, known.lists)
    if any(dims[i] for i in added):
        return probed(recorder, known, func, args, kwargs, out)
    return _repeated(Tracked(dims, known.values, known.lists), added, out)


def _repeated(known: Tracked, added: list[int], out: torch.Tensor) -> Tracked:
    fresh = {i: new_list_axis(out.shape[i]) for i in added}
    values = np.broadcast_to(known.values, (*(fresh[i].size for i in added), *known.values.shape))
    dims = tuple((fresh[i],) if i in fresh else dim for i, dim in enumerate(known.dims))
    return Tracked(dims, values, (*(fresh[i].key for i in added), *known.lists))


def reduced(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """sum, mean and max over time, or over the pixels of one value."""
    known = recorder.of(args[0])
    if known is None:
        raise LayoutError
    how = {"amax": "max"}.get(func.overloadpacket.__name__, func.overloadpacket.__name__)
    rank = len(known.dims)
    dims = args[1] if len(args) > 1 else kwargs.get("dim")
    dims = sorted({int(d) % rank for d in np.ravel(dims)}) if dims is not None and np.size(dims) else list(range(rank))
    if all(is_list(known, d) or not known.dims[d] for d in dims):
        keep = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
        found = known
        for d in reversed(dims):
            found = _over_list(found, d, how, bool(keep))
        return [found, None] if isinstance(out, tuple | list) else found
    if how == "max" or any(a.kind != "feature" for d in dims for a in known.dims[d]):
        raise LayoutError
    pooled = _pooled(recorder, known, dims, how)
    return pooled if pooled is not None else probed(recorder, known, func, args, kwargs, out)


def _over_list(known: Tracked, dim: int, how: str, keep: bool) -> Tracked:
    left = ((),) if keep else ()
    dims = (*known.dims[:dim], *left, *known.dims[dim + 1 :])
    if not known.dims[dim]:
        return Tracked(dims, known.values, known.lists)
    place = known.lists.index(known.dims[dim][0].key)
    moved = np.moveaxis(known.values, place, 0)
    values = np.empty(moved.shape[1:], dtype=object)
    for at in np.ndindex(values.shape):
        each: list[Value] = [moved[(i, *at)] for i in range(len(moved))]
        values[at] = OverTime(each[0].shape, how, tuple(each))
    return Tracked(dims, values, known.lists[:place] + known.lists[place + 1 :])


def _pooled(recorder: Recorder, known: Tracked, dims: list[int], how: str) -> Tracked | None:
    """A mean over whole images [C, H, W] is a pool that covers them; the axes of size 1 stay in the value."""
    lead = len(known.dims) - 3
    if dims != [lead + 1, lead + 2] or lead < 1:
        return None
    t = with_features(known, lead, recorder.where)
    size = t.shape[lead + 1 :]
    name = recorder.where or how

    def pooled(value: Value) -> Value:
        pool = Operation(
            (value.shape[0], 1, 1), "avg_pool", name, (value,), {"kernel": size, "stride": size, "padding": (0, 0)}
        )
        if how == "mean":
            return pool
        scale = np.full((value.shape[0], 1, 1), float(math.prod(size)))
        return Operation(pool.shape, "affine", name, (pool,), {"scale": scale, "shift": np.zeros_like(scale)})

    # the layout says (C) or (C, 1, 1); a value's shape is brought to it when it is used
    from .layout import reshaped_value

    return t.mapped(lambda v: reshaped_value(pooled(v), (v.shape[0],), name), (*t.dims[:lead], t.dims[lead]))


def mean_like(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Any:
    """mean(dims), with the axes kept if they were asked for."""
    found = reduced(recorder, func, args, kwargs, out)
    tensor = found[0] if isinstance(found, list) else found
    while len(tensor.dims) < out.dim():
        tensor = Tracked((*tensor.dims, ()), tensor.values, tensor.lists)
    return found if isinstance(found, list) else tensor


LISTS = {
    "stack": stacked,
    "cat": concatenated,
    "expand": expanded,
    "repeat": expanded,
    "sum": mean_like,
    "mean": mean_like,
    "amax": reduced,
    "max": reduced,
}
