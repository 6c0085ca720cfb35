"""Batch norms and factors folded into the layers before them, where nothing else needs these."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from .fold import Signatures
from .layout import reshaped_value
from .values import Operation, Value


def simplified(value: Value, signatures: Signatures, step: int) -> Value:
    """The same value with scale and shift of a channel inside the convolution or linear layer before."""
    if not isinstance(value, Operation):
        return value
    inputs = tuple(simplified(v, signatures, step) for v in value.inputs)
    if any(a is not b for a, b in zip(inputs, value.inputs, strict=True)):
        value = Operation(value.shape, value.kind, value.name, inputs, value.parameters)
    if value.kind == "linear":
        return _through_matrix(value)
    if value.kind != "affine":
        return value
    inner = value.inputs[0]
    if not isinstance(inner, Operation) or inner.kind not in ("conv", "linear"):
        return value
    channels = inner.parameters["weight"].shape[0]
    scale, shift = (_per_channel(value.parameters[k], value.shape, channels) for k in ("scale", "shift"))
    if scale is None or shift is None:
        return value
    weight = inner.parameters["weight"]
    bias = inner.parameters["bias"]
    parameters: dict[str, Any] = dict(inner.parameters)
    parameters["weight"] = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    parameters["bias"] = (0.0 if bias is None else bias * scale) + shift
    parameters.pop("picks", None)
    return Operation(value.shape, inner.kind, inner.name, inner.inputs, parameters)


def _through_matrix(value: Operation) -> Operation:
    """A linear layer over something that only a matrix says (an image enlarged for it): one matrix."""
    inner = value.inputs[0]
    while isinstance(inner, Operation) and inner.kind == "reshape":
        inner = inner.inputs[0]
    if not isinstance(inner, Operation) or inner.kind != "matrix":
        return value
    weight = torch.from_numpy(value.parameters["weight"]) @ torch.from_numpy(inner.parameters["weight"])
    before = inner.inputs[0]
    flat = reshaped_value(before, (math.prod(before.shape),), value.name)
    return Operation(value.shape, "linear", value.name, (flat,), {**value.parameters, "weight": weight.numpy()})


def _per_channel(values: Any, shape: tuple[int, ...], channels: int) -> np.ndarray | None:
    array = np.broadcast_to(np.asarray(values, dtype=np.float64), shape).reshape(channels, -1)
    if (array != array[:, :1]).any():
        return None
    return np.array(array[:, 0])
