"""One step of one compiled population: the chip's integers forward, the neuron's gradient backward.

What `chip_sequence` does for a whole sequence, for layers whose own spikes come back to them: there no step's input is
known before the step before it has been computed.
"""

from __future__ import annotations

from typing import Any

import torch

from dalif_deploy.hw_models.arithmetic.lava.population_state import PopulationState
from dalif_deploy.hw_models.chip_network.form import DECAY_UNITY
from dalif_deploy.neuron.steps import Rule
from dalif_deploy.neuron.surrogate import SURROGATES


class ChipStep(torch.autograd.Function):
    """Spikes and membrane after the reset, both [N, ...], the latter in units of the float neuron."""

    @staticmethod
    def forward(
        ctx: Any,
        current: torch.Tensor,
        held: torch.Tensor,
        beta: torch.Tensor,
        drive: torch.Tensor | None,
        state: PopulationState,
        scale: torch.Tensor,
        rule: Rule,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Moves `state` on.

        Args:
            current: float [N, ...], what the float neurons would get; only its gradient is of use.
            held: membrane after the step before.
            beta: the float decay.
            drive: what the chip's neurons get, as `PopulationState.drive` returns it.
            scale: the chip's units a unit of membrane, broadcastable against a sample.
            rule: of the float neuron.
        """
        unit, spikes = DECAY_UNITY / scale, torch.empty_like(current)
        state.integrate(drive, overwrite=False)
        before = state.membrane() * unit
        state.fire(spikes)
        ctx.save_for_backward(before, spikes, held, beta)
        ctx.rule = rule
        return spikes, state.membrane() * unit

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_spikes: torch.Tensor, grad_held: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The reset is not differentiated, see `DALIF`."""
        before, spikes, held, beta = ctx.saved_tensors
        rule: Rule = ctx.rule
        bump = SURROGATES[rule.surrogate][1]((before - rule.v_threshold) / rule.width) / rule.width
        g = grad_spikes * bump + (grad_held * (1 - spikes) if rule.reset == "zero" else grad_held)
        grad_beta = (g * held).sum(0).sum_to_size(beta.shape) if ctx.needs_input_grad[2] else None
        return g, beta * g, grad_beta, None, None, None, None
