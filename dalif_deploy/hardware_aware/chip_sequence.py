"""A sequence of steps of one compiled population: the chip's integers forward, the neuron's gradient backward.

Straight through (Bengio et al., arXiv 1308.3432): rounding, truncation and clipping have the gradient of the number
that they stand for. Backward, the membranes are those of the chip, in the neuron's own units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from dalif_deploy.hw_models.arithmetic.lava.population_state import PopulationState
from dalif_deploy.hw_models.chip_network.form import DECAY_UNITY
from dalif_deploy.neuron.steps import Rule, membrane_gradient


class ChipSequence(torch.autograd.Function):
    """Spikes [T, N, ...] of a population on the chip."""

    @staticmethod
    def forward(
        ctx: Any,
        current: torch.Tensor,
        beta: torch.Tensor,
        drive: torch.Tensor,
        at_rest: Callable[[], PopulationState],
        scale: torch.Tensor,
        rule: Rule,
    ) -> torch.Tensor:
        """One sequence from rest.

        Args:
            current: float [T, N, ...], what the float neurons would get; only its gradient is of use.
            beta: the float decay, broadcastable against a sample.
            drive: what the chip's neurons get, as `PopulationState.drive` returns it: [T, N, ...] or, the same at each
                step, [N, ...].
            at_rest: a fresh state of the population.
            scale: the chip's units a unit of membrane, broadcastable against a sample.
            rule: of the float neuron.
        """
        ctx.save_for_backward(beta, drive, scale)
        ctx.at_rest, ctx.rule, ctx.steps = at_rest, rule, len(current)
        state = at_rest()
        spikes = torch.empty_like(current)
        for t in range(len(current)):
            state.step(_at(drive, current.ndim, t), spikes[t], overwrite=False)
        return spikes

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Of grad = dL/dS [T, N, ...]."""
        beta, drive, scale = ctx.saved_tensors
        unit = DECAY_UNITY / scale
        v, h, s = (torch.empty_like(grad) for _ in range(3))
        state = ctx.at_rest()
        for t in range(ctx.steps):
            state.integrate(_at(drive, grad.ndim, t), overwrite=False)
            torch.mul(state.membrane(), unit, out=v[t])
            state.fire(s[t])
            torch.mul(state.membrane(), unit, out=h[t])
        membrane_gradient(v, s, grad, beta, ctx.rule, torch.empty_like(v[0]))
        g = v  # written over
        grad_beta = None
        if ctx.steps > 1 and ctx.needs_input_grad[1]:
            grad_beta = (g[1:] * h[:-1]).sum((0, 1), dtype=beta.dtype).sum_to_size(beta.shape)
        return g, grad_beta, None, None, None, None


def _at(drive: torch.Tensor, ndim: int, t: int) -> torch.Tensor:
    return drive[t] if drive.ndim == ndim else drive
