"""What operations compute, on tensors [N, *shape]: to write them out as matrices."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from .values import Operation


def apply_linear(op: Operation, x: torch.Tensor, which: int = 0) -> torch.Tensor:
    """The linear part of an operation on its input number `which`, the others being zero."""
    p = op.parameters
    if op.kind == "linear":
        return x @ torch.from_numpy(p["weight"]).T
    if op.kind == "conv":
        convolve = F.conv2d if p["weight"].ndim == 4 else F.conv1d
        return convolve(x, torch.from_numpy(p["weight"]), None, p["stride"], p["padding"], p["dilation"], p["groups"])
    if op.kind == "affine":
        return x * torch.from_numpy(np.asarray(p["scale"], dtype=np.float64))
    if op.kind == "avg_pool":
        return F.avg_pool2d(x, p["kernel"], p["stride"], p["padding"])
    if op.kind == "max_pool":  # counts spikes; a threshold follows
        channels = x.shape[1]
        ones = torch.ones(channels, 1, *p["kernel"], dtype=x.dtype)
        return F.conv2d(x, ones, None, p["stride"], p["padding"], p["dilation"], channels)
    if op.kind == "reshape":
        return x.reshape(len(x), *op.shape)
    if op.kind == "permute":
        return x.permute(0, *(i + 1 for i in p["order"]))
    if op.kind == "matrix":
        return (x.reshape(len(x), -1) @ torch.from_numpy(p["weight"]).T).reshape(len(x), *op.shape)
    if op.kind == "cat":
        axis = p["axis"] + 1
        before = p["starts"][which]
        after = op.shape[axis - 1] - before - x.shape[axis]
        widths = [0, 0] * (x.dim() - 1 - axis) + [before, after]
        return F.pad(x, widths)
    raise ValueError(f"{op.kind} is not linear")  # no fault of a network: whoever calls keeps such operations out


def constant_part(op: Operation) -> np.ndarray | None:
    """What an operation adds, of its output's shape; None for nothing."""
    p = op.parameters
    value = p.get("bias") if op.kind in ("linear", "conv") else p.get("shift") if op.kind == "affine" else None
    if value is None or not np.any(value):
        return None
    value = np.asarray(value, dtype=np.float64)
    if op.kind == "conv":
        value = value.reshape(-1, *[1] * (len(op.shape) - 1))
    return np.array(np.broadcast_to(value, op.shape))


def matrix_of(op: Operation, which: int = 0) -> np.ndarray:
    """The linear part as [outputs, inputs]."""
    given = op.inputs[which].shape
    columns = math.prod(given)
    basis = torch.eye(columns, dtype=torch.float64).reshape(columns, *given)
    return np.ascontiguousarray(apply_linear(op, basis, which).reshape(columns, -1).numpy().T)
