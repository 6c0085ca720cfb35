"""Surrogate gradients: the spike is a step forward and a smooth bump backward.

Each surrogate is named by its bump, the derivative of `primitive`, which rises from 0 to 1 around 0; `width` scales x.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

Bump = Callable[[torch.Tensor], torch.Tensor]

# name -> (primitive, its derivative), both of x / width
SURROGATES: dict[str, tuple[Bump, Bump]] = {
    # Fang et al. 2021 (PLIF), with their default alpha = 2
    "atan": (
        lambda x: torch.atan(math.pi * x) / math.pi + 0.5,
        lambda x: 1 / (1 + (math.pi * x) ** 2),
    ),
    "sigmoid": (
        lambda x: torch.sigmoid(4 * x),
        lambda x: 4 * torch.sigmoid(4 * x) * (1 - torch.sigmoid(4 * x)),
    ),
    "triangle": (
        lambda x: torch.where(x < 0, 0.5 * (1 + x.clamp(min=-1)) ** 2, 1 - 0.5 * (1 - x.clamp(max=1)) ** 2),
        lambda x: (1 - x.abs()).clamp(min=0),
    ),
    "rectangle": (
        lambda x: (x + 0.5).clamp(0, 1),
        lambda x: (x.abs() <= 0.5).to(x.dtype),
    ),
}


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, name: str, width: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.name, ctx.width = name, width
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        (x,) = ctx.saved_tensors
        return grad * SURROGATES[ctx.name][1](x / ctx.width) / ctx.width, None, None


def spike(x: torch.Tensor, name: str = "atan", width: float = 1.0) -> torch.Tensor:
    """1 where x >= 0, else 0; backward the derivative of `smooth_spike`."""
    return _Spike.apply(x, name, width)


def smooth_spike(x: torch.Tensor, name: str = "atan", width: float = 1.0) -> torch.Tensor:
    """The surrogate's primitive: what the network would fire if spikes were not steps."""
    return SURROGATES[name][0](x / width)
