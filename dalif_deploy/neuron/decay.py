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
