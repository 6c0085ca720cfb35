"""Tensor operations between neurons, by their aten names: what each makes of the values it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .arithmetic import ARITHMETIC
from .coded_input import is_of_data
from .layout import (
    LayoutError,
    Tracked,
    is_list,
    permuted,
    regrouped,
    selected,
    sliced,
    with_features,
)
from .linear_layers import LAYERS
from .lists import LISTS
from .masks import MASKS
from .max_pool import max_pool
from .probing import probed
from .values import Operation, Ranked, is_binary, is_not_negative

if TYPE_CHECKING:
    from .recorder import Recorder

Handler = Callable[["Recorder", Any, Any, Any, Any], Any]

# results that do not depend on the values of what they are given, or that only look at them
UNTRACKED = frozenset(
    [
        "zeros_like",
        "ones_like",
        "empty_like",
        "full_like",
        "rand_like",
        "randn_like",
        "new_zeros",
        "new_ones",
        "new_empty",
        "new_full",
        "empty_strided",
        "new_empty_strided",
        "sym_size",
        "sym_numel",
        "is_same_size",
        "_local_scalar_dense",
        "equal",
        "isfinite",
        "zero_",
        "fill_",
        "bernoulli",
        "bernoulli_",
        "record_stream",
        "is_nonzero",
        "_assert_async",
    ]
)


def same(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """The same numbers."""
    return _of(recorder, args[0])


def copied(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """`a.copy_(b)`."""
    found = recorder.of(args[1])
    if found is None:
        raise LayoutError
    if tuple(args[0].shape) != found.shape:
        raise LayoutError
    return found


def reshaped(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """view, reshape, flatten, unflatten, squeeze and unsqueeze."""
    known = _of(recorder, args[0])
    return regrouped(known, tuple(out.shape), recorder.where or "reshape")


def unsqueezed(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    known = _of(recorder, args[0])
    dim = int(args[1]) % len(out.shape)
    return Tracked((*known.dims[:dim], (), *known.dims[dim:]), known.values, known.lists)


def squeezed(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    known = _of(recorder, args[0])
    asked = range(len(known.dims)) if len(args) < 2 else np.ravel(args[1]) % len(known.dims)
    gone = [int(d) for d in asked if known.shape[int(d)] == 1]
    if any(axis.kind == "batch" for d in gone for axis in known.dims[d]):
        raise LayoutError
    for d in sorted(gone, reverse=True):
        known = selected(known, d, 0) if is_list(known, d) else regrouped_without(known, d, recorder.where)
    return known


def regrouped_without(known: Tracked, dim: int, name: str) -> Tracked:
    """Without a dimension of size 1 that means nothing."""
    if not known.dims[dim]:
        return Tracked(known.dims[:dim] + known.dims[dim + 1 :], known.values, known.lists)
    shape = list(known.shape)
    del shape[dim]
    return regrouped(known, tuple(shape), name or "reshape")


def transposed(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """permute, transpose and t."""
    known = _of(recorder, args[0])
    rank = len(known.dims)
    name = func.overloadpacket.__name__
    if name == "permute":
        order = [int(d) % rank for d in args[1]]
    else:
        order = list(range(rank))
        a, b = (0, 1) if name == "t" else (int(args[1]) % rank, int(args[2]) % rank)
        if rank > 1:
            order[a], order[b] = order[b], order[a]
    return permuted(known, order, recorder.where or "permute")


def chosen(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """`x[t]` and `x[:, t]`."""
    known = _of(recorder, args[0])
    dim = int(args[1]) % len(known.dims)
    if is_list(known, dim):
        return selected(known, dim, int(args[2]))
    if not known.dims[dim]:
        return regrouped_without(known, dim, recorder.where)
    return probed(recorder, known, func, args, kwargs, out)


def cut(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """`x[a:b]`."""
    known = _of(recorder, args[0])
    defaults: list[Any] = [0, None, None, 1]
    dim, start, end, step = list(args[1:]) + defaults[len(args) - 1 :]
    dim = int(dim) % len(known.dims)
    if tuple(out.shape) == known.shape:
        return known
    if is_list(known, dim):
        return sliced(known, dim, slice(start, end, step))
    return probed(recorder, known, func, args, kwargs, out)


def unbound(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """`for x_t in x`."""
    known = _of(recorder, args[0])
    dim = int(args[1]) % len(known.dims) if len(args) > 1 else 0
    if not known.dims[dim]:
        return [regrouped_without(known, dim, recorder.where)]
    return [selected(known, dim, i) for i in range(len(out))]


def parted(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """split and chunk."""
    known = _of(recorder, args[0])
    dim = args[2] if len(args) > 2 else kwargs.get("dim", 0)
    dim = int(dim) % len(known.dims)
    parts, start = [], 0
    for each in out:
        end = start + each.shape[dim]
        if is_list(known, dim):
            parts.append(sliced(known, dim, slice(start, end)))
        else:
            narrowed = torch.ops.aten.slice.Tensor
            parts.append(probed(recorder, known, narrowed, (args[0], dim, start, end), {}, each))
        start = end
    return parts


def linear_in_features(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """Padding, upsampling, flips, odd pools: linear, and said as a matrix."""
    return probed(recorder, _of(recorder, args[0]), func, args, kwargs, out)


def rectified(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """A ReLU changes nothing of spikes."""
    known = _of(recorder, args[0])
    if torch.equal(out, args[0]) and all(map(is_not_negative, known.all())):
        return known
    if all(map(is_of_data, known.all())):
        raise LayoutError
    recorder.untold(
        out,
        "a ReLU between layers; only spiking neurons are on the chip",
        "put a spiking neuron in its place, or convert the trained network with dalif_deploy.convert",
    )
    return None


def to_the_power(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """Of 1, and of spikes, the same."""
    known = _of(recorder, args[0])
    power = float(args[1])
    if power != 1 and not (power > 0 and all(map(is_binary, known.all()))):
        raise LayoutError
    return known


def sign_or_size(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """Half of sign(x) * |x|, as sum pools of the form of a norm have it; of what is never negative, |x| is x."""
    known = _of(recorder, args[0])
    kind = func.overloadpacket.__name__.rstrip("_")
    if kind == "abs" and all(map(is_not_negative, known.all())):
        return known
    return known.mapped(lambda value: Operation(value.shape, kind, recorder.where or kind, (value,)))


def squashed(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """A sigmoid or tanh rises with what it is of; so does the logarithm of one, or of a softmax."""
    known, name = _of(recorder, args[0]), func.overloadpacket.__name__.rstrip("_")
    positive = all(isinstance(v, Ranked) and v.how in ("softmax", "sigmoid") for v in known.all())
    if name == "log" and not positive:
        raise LayoutError
    return known.mapped(lambda value: Ranked(value.shape, value, name))


def ranked(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """A softmax over everything that a value holds keeps its order."""
    known = _of(recorder, args[0])
    dim = int(args[1]) % len(known.dims)
    if len(known.features) != 1 or not any(a.kind == "feature" for a in known.dims[dim]):
        raise LayoutError
    name = func.overloadpacket.__name__.strip("_")
    return known.mapped(lambda value: Ranked(value.shape, value, name))


def largest(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """Which of a value's numbers is the largest."""
    known = _of(recorder, args[0])
    dim = args[1] if len(args) > 1 else kwargs.get("dim")
    if dim is None or len(known.features) != 1 or (len(args) > 2 and args[2]):
        raise LayoutError
    dim = int(dim) % len(known.dims)
    if not any(a.kind == "feature" for a in known.dims[dim]):
        raise LayoutError
    return known.mapped(lambda value: Ranked((), value, "argmax"), known.dims[:dim] + known.dims[dim + 1 :])


def compared(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Tracked:
    """A threshold that a forward holds itself."""
    return recorder.inline.compared(recorder, func, args, kwargs, out)


def _of(recorder: Recorder, tensor: Any) -> Tracked:
    known = recorder.of(tensor)
    if known is None:
        raise LayoutError
    return known


def _table(handler: Handler, names: str) -> dict[str, Handler]:
    return dict.fromkeys(names.split(), handler)


HANDLERS: dict[str, Handler] = {
    **_table(same, "clone contiguous _to_copy to detach alias lift_fresh dropout feature_dropout alpha_dropout "
             "view_as type_as requires_grad positive"),
    **_table(copied, "copy"),
    **_table(reshaped, "view reshape _unsafe_view flatten unflatten _reshape_alias view_copy"),
    **_table(unsqueezed, "unsqueeze"),
    **_table(squeezed, "squeeze"),
    **_table(transposed, "permute transpose t swapaxes movedim numpy_T"),
    **_table(chosen, "select"),
    **_table(cut, "slice"),
    **_table(unbound, "unbind"),
    **_table(parted, "split split_with_sizes chunk"),
    **_table(max_pool, "max_pool2d_with_indices max_pool2d max_pool1d mkldnn_max_pool2d"),
    **_table(ranked, "_softmax _log_softmax softmax log_softmax"),
    **_table(squashed, "sigmoid tanh log_sigmoid_forward log"),
    **_table(largest, "argmax"),
    **_table(to_the_power, "pow"),
    **_table(sign_or_size, "sign abs sgn"),
    **_table(compared, "gt ge lt le heaviside"),
    **_table(rectified, "relu clamp clamp_min hardtanh"),
    **_table(
        linear_in_features,
        "constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d _pad_circular "
        "upsample_nearest1d upsample_nearest2d _upsample_nearest_exact1d _upsample_nearest_exact2d "
        "upsample_bilinear2d upsample_linear1d upsample_bicubic2d flip roll pixel_shuffle pixel_unshuffle "
        "channel_shuffle native_channel_shuffle index_select index im2col cumsum avg_pool3d _adaptive_avg_pool3d "
        "rot90 tril triu gather take_along_dim diff unfold as_strided",
    ),
    **LISTS,
    **MASKS,
    **ARITHMETIC,
    **LAYERS,
}  # fmt: skip

__all__ = ["HANDLERS", "UNTRACKED", "with_features"]
