"""Layers with weights, normalisation and average pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .arithmetic import affine, scaled_and_shifted
from .layout import Axis, LayoutError, Tracked, with_features
from .probing import probed
from .values import Operation, Value

if TYPE_CHECKING:
    from .recorder import Recorder


def _numbers(tensor: Any) -> np.ndarray | None:
    return None if tensor is None else tensor.detach().to(torch.float64).numpy().copy()


def _constant(recorder: Recorder, *tensors: Any) -> None:
    if any(recorder.of(t) is not None for t in tensors):
        raise LayoutError


def convolved(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """aten.convolution of one or two spatial axes."""
    x, weight, bias, stride, padding, dilation, is_transposed, _, groups = args[:9]
    known = recorder.of(x)
    _constant(recorder, weight, bias)
    if known is None or weight.dim() not in (3, 4) or x.dim() != weight.dim():
        raise LayoutError
    t = with_features(known, x.dim() - weight.dim() + 1, recorder.where)
    if is_transposed:
        if bias is None:
            return probed(recorder, t, func, args, kwargs, out)
        plain = probed(recorder, t, func, (x, weight, None, *args[3:]), kwargs, out)
        shift = _numbers(bias)
        assert shift is not None
        shift = shift.reshape(-1, *[1] * (weight.dim() - 2))
        return plain.mapped(lambda value: affine(recorder.where, value, np.array(1.0), shift))
    shape = tuple(out.shape[1:])
    name = recorder.where or "conv"
    parameters = {
        "weight": _shared(recorder, weight),
        "bias": _shared(recorder, bias),
        "stride": tuple(stride),
        "padding": tuple(padding),
        "dilation": tuple(dilation),
        "groups": int(groups),
    }

    def applied(value: Value) -> Value:
        return Operation(shape, "conv", name, (value,), parameters)

    return t.mapped(applied, (t.dims[0], *((Axis("feature", n),) for n in shape)))


def linear(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """mm, addmm, matmul, linear: x @ weight + bias, along the last axis."""
    name = func.overloadpacket.__name__
    if name == "addmm":
        bias, x, weight = args[:3]
        if kwargs.get("beta", 1) != 1 or kwargs.get("alpha", 1) != 1:
            raise LayoutError
    elif name == "linear":
        x, weight, bias = args[0], args[1].t(), args[2] if len(args) > 2 else None
    else:
        (x, weight), bias = args[:2], None
    _constant(recorder, weight, bias)
    known = recorder.of(x)
    if known is None or weight.dim() != 2:
        raise LayoutError
    return linear_of(recorder, known, weight, bias, int(out.shape[-1]))


def linear_of(recorder: Recorder, known: Tracked, weight: Any, bias: Any, size: int) -> Tracked:
    """x @ weight + bias along the last axis, where all before it is batch and time."""
    lead = len(known.dims) - 1
    inner = [dim for dim in known.dims[:-1] if any(a.kind == "feature" for a in dim)]
    if inner:
        raise LayoutError  # taken apart by `rows`
    t = with_features(known, lead, recorder.where)
    where = recorder.where or "linear"
    parameters = {"weight": _shared(recorder, weight.t()), "bias": _shared(recorder, bias)}

    def applied(value: Value) -> Value:
        return Operation((size,), "linear", where, (value,), parameters)

    return t.mapped(applied, (*t.dims[:-1], (Axis("feature", size),)))


def rows(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """A linear layer along the last axis of [.., C, L]: a convolution of width 1 says it, over the axes turned."""
    try:
        return linear(recorder, func, args, kwargs, out)
    except LayoutError:
        name = func.overloadpacket.__name__
        if name == "addmm":
            bias, x, weight = args[:3]
        else:
            (x, weight), bias = args[:2], None
        _constant(recorder, weight, bias)
        known = recorder.of(x)
        if known is None or weight.dim() != 2:
            raise
        return _along_last(recorder, known, weight, bias, int(out.shape[-1]))


def batched(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """bmm with one matrix for all, which einsum comes down to."""
    x, weight = args[:2]
    _constant(recorder, weight)
    known = recorder.of(x)
    if known is None or weight.shape[0] != 1 or known.dims[0]:
        raise LayoutError
    inner = Tracked(known.dims[1:], known.values, known.lists)
    plain = linear_of(recorder, inner, weight[0], None, int(out.shape[-1]))
    return Tracked(((), *plain.dims), plain.values, plain.lists)


def _along_last(recorder: Recorder, known: Tracked, weight: Any, bias: Any, size: int) -> Tracked:
    """[(N, .., M) flattened, K] @ [K, size]: a block matrix over M * K."""
    first, last = known.dims[0], known.dims[1]
    if len(known.dims) != 2 or any(a.kind != "feature" for a in last):
        raise LayoutError
    outer = tuple(a for a in first if a.kind != "feature")
    inner = [a for a in first if a.kind == "feature"]
    if first[: len(outer)] != outer or len(inner) != 1:
        raise LayoutError
    count, width = inner[0].size, last[0].size
    kernel = _numbers(weight.t())
    assert kernel is not None
    name = recorder.where or "linear"
    block = np.kron(np.eye(count), kernel)
    shift = None if bias is None else np.tile(_numbers(bias), count)  # type: ignore[arg-type]
    from .layout import reshaped_value

    def applied(value: Value) -> Value:
        flat = reshaped_value(value, (count * width,), name)
        full = Operation((count * size,), "linear", name, (flat,), {"weight": block, "bias": shift})
        return reshaped_value(full, (count, size), name)

    return known.mapped(applied, ((*outer, Axis("feature", count)), (Axis("feature", size),)))


def normalized(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """Batch norm with running statistics: a scale and a shift a channel."""
    x, weight, bias, mean, variance = args[:5]
    name = func.overloadpacket.__name__
    training = args[5] if name in ("native_batch_norm", "cudnn_batch_norm", "batch_norm") else False
    eps = args[7] if name in ("native_batch_norm", "cudnn_batch_norm") else args[6]
    known = recorder.of(x)
    if known is None:
        raise LayoutError
    if training:
        result = out[0] if isinstance(out, tuple | list) else out
        recorder.untold(
            result,
            "a batch norm without running statistics: it normalises by the batch at hand",
            "use track_running_stats=True, and train it",
        )
        return [None]
    std = np.sqrt(variance.detach().double().numpy() + float(eps))
    scale = (1.0 if weight is None else weight.detach().double().numpy()) / std
    shift = (0.0 if bias is None else bias.detach().double().numpy()) - mean.detach().double().numpy() * scale
    form = (1, -1, *[1] * (len(known.dims) - 2))
    scales, shifts = (torch.from_numpy(np.asarray(each)).reshape(form) for each in (scale, shift))
    return [scaled_and_shifted(recorder.where or "batch_norm", known, scales, shifts, x)]


def avg_pooled(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """Average pools, adaptive ones too."""
    known = recorder.of(args[0])
    if known is None:
        raise LayoutError
    adaptive = func.overloadpacket.__name__.startswith("_adaptive") or "adaptive" in func.overloadpacket.__name__
    t = with_features(known, len(known.dims) - 3, recorder.where)
    size, shape = t.shape[-2:], tuple(out.shape[-3:])
    if adaptive:
        kernel = stride = tuple(n // o for n, o in zip(size, shape[1:], strict=True))
        padding: Any = (0, 0)
        plain = all(n % o == 0 for n, o in zip(size, shape[1:], strict=True))
    else:
        defaults: list[Any] = [None, [], [0, 0], False, True, None]
        _, kernel, stride, padding, _, counted, divisor = list(args) + defaults[len(args) - 1 :]
        kernel, padding = tuple(kernel), tuple(padding)
        stride = tuple(stride) or kernel
        kernel, stride, padding = ((v * 2 if len(v) == 1 else v) for v in (kernel, stride, padding))
        floor = tuple((n + 2 * p - k) // s + 1 for n, p, k, s in zip(size, padding, kernel, stride, strict=True))
        plain = floor == shape[1:] and (counted or not any(padding)) and divisor is None
    if not plain:
        return probed(recorder, t, func, args, kwargs, out)
    parameters = {"kernel": kernel, "stride": stride, "padding": padding}
    name = recorder.where or "avg_pool"

    def applied(value: Value) -> Value:
        return Operation(shape, "avg_pool", name, (value,), parameters)

    return t.mapped(applied, (*t.dims[:-3], *((Axis("feature", n),) for n in shape)))


def _shared(recorder: Recorder, tensor: Any) -> Any:
    """Numbers of a weight, one array for one weight however often it is used."""
    if tensor is None:
        return None
    cache = recorder.__dict__.setdefault("_arrays", {})
    key = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor._version)
    if key not in cache:
        cache[key] = (tensor, _numbers(tensor))
    return cache[key][1]


LAYERS = {
    "convolution": convolved,
    "bmm": batched,
    "mm": rows,
    "addmm": rows,
    "matmul": linear,
    "linear": linear,
    "native_batch_norm": normalized,
    "_native_batch_norm_legit_no_training": normalized,
    "cudnn_batch_norm": normalized,
    "avg_pool2d": avg_pooled,
    "_adaptive_avg_pool2d": avg_pooled,
    "adaptive_avg_pool2d": avg_pooled,
}
