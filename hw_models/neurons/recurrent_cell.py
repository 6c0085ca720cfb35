"""The recurrence of `recurrence.py`, stepped in torch."""

from __future__ import annotations

import numpy as np
import torch

from .recurrence import NeuronDynamics


class RecurrentCell:
    """Current and membrane of [N, *shape] neurons, see `FloatCell`."""

    def __init__(self, dynamics: NeuronDynamics, shape: tuple[int, ...], like: torch.Tensor):
        self.dynamics = d = dynamics

        def tensor(values: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(values, dtype=like.dtype)

        self.beta, self.gain, self.offset = tensor(d.beta), tensor(d.gain), tensor(d.offset)
        self.syn_beta = None if d.syn_beta is None else tensor(d.syn_beta)
        self.syn_gain = None if d.syn_gain is None else tensor(d.syn_gain)
        self.threshold = None if d.threshold is None else tensor(d.threshold)
        self.reset_value = tensor(d.reset_value)
        self.v_min = None if d.v_min is None else tensor(d.v_min)
        self.v = torch.zeros(len(like), *shape, dtype=like.dtype) + tensor(d.start)
        self.waits = torch.zeros(self.v.shape, dtype=torch.int32)  # steps that a membrane is still refractory
        self.i = torch.zeros_like(self.v)
        self.current = torch.zeros_like(self.v)

    def step(self, x: torch.Tensor) -> torch.Tensor:
        """See `FloatCell.step`."""
        if self.syn_beta is not None and self.syn_gain is not None:
            self.i = self.syn_beta * self.i + self.syn_gain * x
            x = self.i
        self.current = self.gain * x
        self.v = self.beta * self.v + self.current + self.offset
        if self.v_min is not None:
            self.v = torch.maximum(self.v, self.v_min)
        if self.dynamics.refractory:
            self.v = torch.where(self.waits > 0, self.reset_value, self.v)
        if self.threshold is None:
            return self.v
        fired = self.v > self.threshold
        sent = self._spikes(fired, self.threshold).to(x.dtype)
        if self.dynamics.reset == "subtract":
            self.v = self.v - sent * self.threshold
        else:
            self.v = torch.where(fired, self.reset_value, self.v)
        if self.dynamics.refractory:
            self.waits = torch.where(fired, self.dynamics.refractory, (self.waits - 1).clamp(min=0))
        return sent

    def _spikes(self, fired: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
        many = self.dynamics.max_spikes
        if many == 1:
            return fired
        # counted from the reset value, as on the chip
        height, each = self.v - self.reset_value, threshold - self.reset_value
        return torch.ceil(height / each).sub(1).clamp(0, many)
