"""Surrogate gradients: the spike is a step forward and a smooth bump backward.

Each surrogate is a primitive that rises from 0 to 1 around 0, and its derivative, the bump. Both take
(membrane - threshold) / width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

Curve = Callable[[torch.Tensor], torch.Tensor]


def _sigmoid_bump(x: torch.Tensor) -> torch.Tensor:
    s = torch.sigmoid(4 * x)
    return 4 * s * (1 - s)


# name -> (primitive, its derivative); every bump is 1 at 0
SURROGATES: dict[str, tuple[Curve, Curve]] = {
    # Fang et al. 2021 (PLIF), with their default alpha = 2
    "atan": (
        lambda x: torch.atan(math.pi * x) / math.pi + 0.5,
        lambda x: (x * math.pi).square_().add_(1).reciprocal_(),
    ),
    "sigmoid": (lambda x: torch.sigmoid(4 * x), _sigmoid_bump),
    "triangle": (
        lambda x: torch.where(x < 0, 0.5 * (1 + x.clamp(min=-1)) ** 2, 1 - 0.5 * (1 - x.clamp(max=1)) ** 2),
        lambda x: (1 - x.abs()).clamp_(min=0),
    ),
    "rectangle": (
        lambda x: (x + 0.5).clamp(0, 1),
        lambda x: (x.abs() <= 0.5).to(x.dtype),
    ),
}


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, membrane: torch.Tensor, threshold: float, surrogate: str, width: float) -> torch.Tensor:
        ctx.save_for_backward(membrane)
        ctx.options = threshold, surrogate, width
        return (membrane >= threshold).to(membrane.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (membrane,) = ctx.saved_tensors
        threshold, surrogate, width = ctx.options
        bump = SURROGATES[surrogate][1]((membrane - threshold) / width)
        return bump.mul_(grad / width), None, None, None


def spike(membrane: torch.Tensor, threshold: float = 1.0, surrogate: str = "atan", width: float = 1.0) -> torch.Tensor:
    """1 where membrane >= threshold, else 0; backward the bump of `surrogate`, divided by `width`.

    Args:
        membrane: any shape.
        width: how far from the threshold the gradient reaches, in units of the membrane.
    """
    fired: torch.Tensor = _Spike.apply(membrane, threshold, surrogate, width)
    return fired
