"""Max pooling: of spikes an OR, which neurons can say; of currents not, and then it can be rewritten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import _disable_current_modes

from .layout import Axis, LayoutError, Tracked, reshaped_value, with_features
from .population import NeuronCall
from .values import NeuronValue, Operation, Value, is_binary

if TYPE_CHECKING:
    from .recorder import Recorder

WHAT = "max pooling over currents: the chip's neurons add what arrives, they can't compare it"
SEVERAL = "max pooling over neurons that fire several times in a step: the chip's neurons can't compare the numbers"
ONCE = "let them fire once a step (sinabs: spike_fn=SingleSpike), or use average pooling"
REMEDY = (
    "pool after the neurons, or use average pooling; --rewrite max-pool=after-spikes or max-pool=average does it here "
    "(it changes the network: train again, or see what it costs)"
)


def max_pool(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
    """Of spikes; [values, indices] where the operation has both."""
    result = out[0] if isinstance(out, tuple | list) else out
    known = recorder.of(args[0])
    if known is None:
        raise LayoutError
    t = with_features(known, len(known.dims) - 3, recorder.where)
    followed = recorder.rewrite.get("max-pool") == "as-it-is"
    if not followed and not _of_spikes(recorder, t, args[0]):
        several = all(isinstance(v, NeuronValue) and v.population.several for v in t.all())
        recorder.untold(result, *((SEVERAL, ONCE) if several else (WHAT, REMEDY)))
        return [None]
    kernel, stride, padding, dilation, _ceil = _geometry(args, kwargs)
    shape = tuple(result.shape[-3:])
    name = recorder.where or "max_pool"
    parameters = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}

    def applied(value: Value) -> Value:
        spikes, scale = _scaled(value)
        pool = Operation(shape, "max_pool", name, (spikes,), parameters)
        if scale is None:
            return pool
        return Operation(shape, "affine", name, (pool,), {"scale": scale, "shift": np.zeros_like(scale)})

    return [t.mapped(applied, (*t.dims[:-3], *((Axis("feature", n),) for n in shape)))]


def _of_spikes(recorder: Recorder, t: Tracked, tensor: torch.Tensor) -> bool:
    """Whether the largest of a window says whether one of it fired."""
    return all(is_binary(_scaled(value)[0]) or _spikes_of_the_data(recorder, value, tensor) for value in t.all())


def _scaled(value: Value) -> tuple[Value, np.ndarray | None]:
    """(what is scaled, by which positive number that is the same everywhere); the value itself and None otherwise."""
    if isinstance(value, Operation) and value.kind == "reshape":
        inner, scale = _scaled(value.inputs[0])
        return (value, None) if scale is None else (reshaped_value(inner, value.shape, value.name), scale)
    if isinstance(value, Operation) and value.kind == "affine" and not np.any(value.parameters["shift"]):
        scale = np.asarray(value.parameters["scale"], dtype=np.float64)
        if scale.size == 1 and scale.item() > 0:
            return value.inputs[0], scale.reshape(())
    return value, None


def _spikes_of_the_data(recorder: Recorder, value: Value, tensor: torch.Tensor) -> bool:
    """Data that holds nothing but 0 and 1 is spikes."""
    from .values import InputValue

    if isinstance(value, Operation) and value.kind == "reshape":
        value = value.inputs[0]
    return isinstance(value, InputValue) and bool(((tensor == 0) | (tensor == 1)).all())


def _geometry(args: Any, kwargs: Any) -> tuple[Any, Any, Any, Any, bool]:
    kernel = _pair(args[1])
    given = [*args[2:], *([], 0, 1, False)[len(args) - 2 :]]
    stride = _pair(given[0]) if given[0] not in ([], None, ()) else kernel
    return kernel, stride, _pair(given[1]), _pair(given[2]), bool(given[3])


def _pair(value: Any) -> tuple[int, int]:
    values = [int(v) for v in (value if isinstance(value, list | tuple) else [value])]
    return (values[0], values[-1])


@dataclass
class PostponedPool:
    """A max pool over currents whose neurons fire first."""

    unpooled: torch.Tensor
    func: Any
    args: Any

    def pooled(self, recorder: Recorder, done: NeuronCall) -> Any:
        """What the neuron module returns, its spikes pooled."""
        lead = done.spikes.shape[: done.spikes.dim() - 3]
        flat = done.spikes.reshape(-1, *done.spikes.shape[-3:])
        result = self.func(flat, *self.args[1:])
        result = result[0] if isinstance(result, tuple | list) else result
        result = result.reshape(*lead, *result.shape[1:])
        known = recorder.of(done.spikes)
        assert known is not None
        found = max_pool(recorder, self.func, (done.spikes, *self.args[1:]), {}, result)
        recorder.track(result, found[0])
        if isinstance(done.output, tuple):
            return tuple(result if part is done.spikes else part for part in done.output)
        return result


def rewritten_pool(recorder: Recorder, func: Any, args: Any) -> Any:
    """(pooled, indices) of a pool over currents under a rewrite rule, None where there is nothing to rewrite."""
    rule = recorder.rewrite.get("max-pool")
    known = recorder.of(args[0])
    if rule in (None, "as-it-is") or known is None:
        return None
    if _of_spikes(recorder, known, args[0]):
        return None
    if rule == "average":
        kernel, stride, padding, _, ceil = _geometry(args, {})
        with recorder:
            pooled = F.avg_pool2d(args[0], kernel, stride, padding, ceil)
        return pooled, torch.zeros_like(pooled, dtype=torch.int64)
    with _disable_current_modes():
        values, indices = func(*args)
    recorder.untold(
        values,
        "max-pool=after-spikes moves a pool behind the neurons that follow it at once; here none do",
        "use --rewrite max-pool=average",
    )
    recorder.postponed_pools[values] = PostponedPool(args[0], func, args)
    return values, indices


__all__ = ["PostponedPool", "Tracked", "max_pool", "rewritten_pool"]
