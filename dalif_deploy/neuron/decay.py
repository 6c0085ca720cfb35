"""Bounded decays from free parameters: tanh (-1..1), sigmoid (0..1), or the identity clamped to 0..1."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "clamp": lambda x: x.clamp(0.0, 1.0),
}


_INVERSES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.atanh,
    "sigmoid": torch.logit,
    "clamp": lambda x: x,
}
_GOLDEN = (5**0.5 - 1) / 2


def spread(lowest: float, highest: float, shape: tuple[int, ...], activation: str) -> torch.Tensor:
    """Free parameters of decays that lie evenly over a range, float32 of `shape`.

    Multiples of the golden ratio: any run of neighbours, a channel or a row, covers the range by itself, and nothing is
    drawn, so that a network's other parameters start as they do without it.

    Raises:
        ValueError: the activation does not reach an end.
    """
    for end in (lowest, highest):
        free_parameter(end, activation)
    return _INVERSES[activation](even(lowest, highest, shape)).float()


def even(lowest: float, highest: float, shape: tuple[int, ...]) -> torch.Tensor:
    """The decays themselves, float64 of `shape`."""
    count = math.prod(shape)
    place = (torch.arange(count, dtype=torch.float64) + 0.5) * _GOLDEN % 1
    return (lowest + (highest - lowest) * place).reshape(shape)


def free_parameter(decay: float, activation: str) -> float:
    """The free parameter whose activation is `decay`.

    Raises:
        ValueError: the activation does not reach `decay`.
    """
    if activation == "tanh" and -1 < decay < 1:
        return math.atanh(decay)
    if activation == "sigmoid" and 0 < decay < 1:
        return math.log(decay / (1 - decay))
    if activation == "clamp" and 0 <= decay <= 1:
        return decay
    raise ValueError(f"{activation} does not reach a decay of {decay}")
