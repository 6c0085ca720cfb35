"""A whole sequence of DA-LIF steps as one differentiable operation.

Only the input is kept for the backward pass: membranes and spikes are computed again from it, which costs less than
to write and read them. The gradient is the one that autograd finds for the steps of `DALIF.step`, written out, with
G[t] the gradient that reaches V[t]:

    G[t] = dL/dS[t] * bump(V[t]) + beta * G[t+1] * dH[t]/dV[t]      dH/dV = 1 - S (reset "zero"), 1 ("subtract")
    dL/dX = alpha * G        dL/dalpha = sum of G[t] * X[t]        dL/dbeta = sum of G[t] * H[t-1]

Two engines compute the same numbers: `dalif_deploy.neuron.eager` and `dalif_deploy.neuron.compiled`. Spikes are the
same bits in both; gradients differ by rounding.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from dalif_deploy.neuron.compiled import COMPILE_FROM, Fire, Gradient, compiled
from dalif_deploy.neuron.eager import Rule, fire_rows, gradient_rows

Engine = Literal["auto", "eager", "compile"]


class Sequence(torch.autograd.Function):
    """Spikes of x [T, N, ...], T >= 1, from rest, given alpha and beta: both of shape (), or of a sample's, x[0, 0]."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, rule: Rule, engine: Engine
    ) -> torch.Tensor:
        """Keeps x, alpha and beta."""
        x = _dense(x)
        ctx.save_for_backward(x, alpha, beta)
        ctx.rule, ctx.engine = rule, engine
        fire = _engine(engine, x, rule)[0]
        return _shaped(fire(_rows(x, alpha), _features(alpha, x), _features(beta, x), rule), x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Of grad = dL/dS [T, ...]."""
        x, alpha, beta = ctx.saved_tensors
        if grad.stride()[1:] != x.stride()[1:]:
            grad = torch.empty_strided(
                x.shape, (x[0].numel(), *x.stride()[1:]), dtype=grad.dtype, device=x.device
            ).copy_(grad)  # fmt: skip
        gradient = _engine(ctx.engine, x, ctx.rule)[1]
        grad_x, *grads = gradient(
            _rows(x, alpha), _features(alpha, x), _features(beta, x), ctx.rule, _rows(grad, alpha)
        )
        grad_alpha, grad_beta = (_sample(each, x) for each in grads)
        _, alpha_learns, beta_learns, *_ = ctx.needs_input_grad
        # one step alone never meets beta: no gradient, rather than one of zero that an optimizer would act on
        beta_learns = beta_learns and len(x) > 1
        return _shaped(grad_x, x), grad_alpha if alpha_learns else None, grad_beta if beta_learns else None, None, None


def _engine(engine: Engine, x: torch.Tensor, rule: Rule) -> tuple[Fire, Gradient]:
    if engine == "compile" or (engine == "auto" and x.numel() >= COMPILE_FROM):
        return compiled(len(x), rule)
    return fire_rows, gradient_rows


def _channels_last(x: torch.Tensor) -> bool:
    return x.ndim == 5 and x[0].is_contiguous(memory_format=torch.channels_last)


def _dense(x: torch.Tensor) -> torch.Tensor:
    """x, copied if a step of it is neither contiguous nor channels-last. Steps may share memory (`expand`)."""
    return x if _channels_last(x) or x[0].is_contiguous() else x.contiguous()


def _rows(x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """View of dense steps in the order of memory: [T, M] where all neurons are alike, else [T, N, F]."""
    if alpha.ndim == 0:
        return x.as_strided((len(x), x[0].numel()), (x.stride(0), 1))
    size = x[0, 0].numel()
    return x.as_strided((len(x), x.shape[1], size), (x.stride(0), size, 1))


def _features(decay: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A sample's decays, [F] in the order of x's memory; one that all share as it is."""
    decay = decay.detach()
    if decay.ndim == 0:
        return decay
    return (decay.movedim(0, -1) if _channels_last(x) else decay).reshape(-1)


def _sample(features: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The way back from `_features`."""
    if features.ndim == 0:
        return features
    shape = x.shape[2:]
    if not _channels_last(x):
        return features.reshape(shape)
    return features.reshape(*shape[1:], shape[0]).movedim(-1, 0)


def _shaped(flat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The way back from `_rows`."""
    return flat.as_strided(x.shape, (flat.stride(0), *x.stride()[1:]))
