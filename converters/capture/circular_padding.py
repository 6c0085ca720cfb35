"""Circular padding as a concatenation: PyTorch's own writes into a buffer piece by piece, which can't be followed."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

_pad = F.pad


def pad(input: torch.Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> torch.Tensor:
    """torch.nn.functional.pad, the same numbers."""
    if mode != "circular":
        return _pad(input, list(pad), mode, value)
    for place in range(len(pad) // 2):
        before, after = int(pad[2 * place]), int(pad[2 * place + 1])
        axis = input.dim() - 1 - place
        size = input.shape[axis]
        parts = [input]
        if before:
            parts.insert(0, input.narrow(axis, size - before, before))
        if after:
            parts.append(input.narrow(axis, 0, after))
        input = torch.cat(parts, axis)
    return input
