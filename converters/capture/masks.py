"""Choices by spikes: `torch.where(spikes, a, b)`, `masked_fill`, `v[spikes] = a`, and spikes compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .arithmetic import is_gate, one_minus, product, scaled_by, total
from .layout import LayoutError, Tracked
from .values import is_binary

if TYPE_CHECKING:
    from .recorder import Recorder


def where(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """where(mask, a, b)."""
    if len(args) != 3:
        raise LayoutError
    return chosen_by(recorder, args[0], args[1], args[2], out)


def masked_fill(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """x.masked_fill(mask, number)."""
    return chosen_by(recorder, args[1], args[2], args[0], out)


def put_by_mask(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """x[mask] = number."""
    x, (mask, *more), value = args[:3]
    if more or mask is None or mask.dtype != torch.bool or mask.shape != out.shape or value.numel() != 1:
        raise LayoutError
    return chosen_by(recorder, mask, value, x, out)


def chosen_by(recorder: Recorder, mask: Any, a: Any, b: Any, out: torch.Tensor) -> Tracked:
    """mask * a + (1 - mask) * b.

    Raises:
        LayoutError: the mask is not made of spikes.
    """
    known = recorder.of(mask)
    if known is None or not all(map(is_gate, known.all())):
        raise LayoutError
    name = recorder.where or "where"
    parts = []
    for gate, each in ((known, a), (one_minus(name, known), b)):
        tracked = recorder.of(each)
        if tracked is not None:
            parts.append(product(name, gate, tracked, out))
        elif bool(torch.as_tensor(each).any()):
            parts.append(scaled_by(name, gate, torch.as_tensor(each), out))
    if not parts:
        raise LayoutError
    return parts[0] if len(parts) == 1 else total(name, parts[0], parts[1], out)


def is_equal(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """spikes == 1 or 0, and !=."""
    known = recorder.of(args[0])
    if known is None or recorder.of(args[1]) is not None or not all(map(is_binary, known.all())):
        raise LayoutError
    constant = torch.as_tensor(args[1])
    if constant.numel() != 1 or float(constant) not in (0.0, 1.0):
        raise LayoutError
    fired = (float(constant) == 1.0) == (func.overloadpacket.__name__.rstrip("_") == "eq")
    return known if fired else one_minus(recorder.where or "eq", known)


def negated(recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
    """~spikes; of numbers, whether they are 0."""
    known = recorder.of(args[0])
    if known is None or not all(map(is_gate, known.all())):
        raise LayoutError
    return one_minus(recorder.where or "not", known)


def spikes_compared(known: Tracked, constant: np.ndarray, strict: bool) -> Tracked | None:
    """`spikes > c` or `>= c` of something that is 0 or 1: the same, where it says nothing new; else None."""
    if not all(map(is_binary, known.all())):
        return None
    low = constant >= 0 if strict else constant > 0
    high = constant < 1 if strict else constant <= 1
    return known if bool(np.all(low & high)) else None


MASKS = {
    "where": where,
    "masked_fill": masked_fill,
    "index_put": put_by_mask,
    "eq": is_equal,
    "ne": is_equal,
    "logical_not": negated,
    "bitwise_not": negated,
}

__all__ = ["MASKS", "spikes_compared"]
