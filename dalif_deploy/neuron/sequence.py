"""A whole sequence of DA-LIF steps as one differentiable operation.

Only the input is kept for the backward pass: membranes and spikes are computed again from it, which costs less than
to write and read them. The gradient is the one that autograd finds for the steps of `DALIF.step`, written out, with
G[t] the gradient that reaches V[t]:

    G[t] = dL/dS[t] * bump(V[t]) + beta * G[t+1] * dH[t]/dV[t]      dH/dV = 1 - S (reset "zero"), 1 ("subtract")
    dL/dX = alpha * G        dL/dalpha = sum of G[t] * X[t]        dL/dbeta = sum of G[t] * H[t-1]

Two engines compute the same numbers, from the same lines in `dalif_deploy.neuron.steps`: `dalif_deploy.neuron.eager`
and `dalif_deploy.neuron.compiled`. Spikes are the
same bits in both; gradients differ by rounding.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from dalif_deploy.neuron.compiled import COMPILE_FROM, Fire, Gradient, compiled
from dalif_deploy.neuron.eager import fire_rows, gradient_rows
from dalif_deploy.neuron.steps import Rule, fire_whole, gradient_whole

Engine = Literal["auto", "eager", "compile"]


class Sequence(torch.autograd.Function):
    """Spikes [T, N, ...] of x from rest, given alpha and beta: both of shape (), or of a sample's.

    x is [T, N, ...], T >= 1, or, if `still` says for how many steps, [N, ...], the same at each of them.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        alpha: torch.Tensor,
        beta: torch.Tensor,
        rule: Rule,
        still: int | None,
        engine: Engine,
    ) -> torch.Tensor:
        """Keeps x, alpha and beta."""
        traced = torch.compiler.is_compiling()
        # a still input is as one step of a sequence: all that follows is of that
        x = x if traced else _dense(x) if still is None else _dense(x[None])
        ctx.save_for_backward(x, alpha, beta)
        ctx.rule, ctx.still, ctx.engine = rule, still, engine
        if traced:  # whoever compiles the whole network fuses the steps with what surrounds them
            return fire_whole(x, alpha, beta, rule, still)
        fire = _engine(engine, x, rule, still)[0]
        return _shaped(fire(_rows(x, alpha, still), _features(alpha, x), _features(beta, x), rule, still), x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Of grad = dL/dS [T, ...]."""
        x, alpha, beta = ctx.saved_tensors
        still: int | None = ctx.still
        if torch.compiler.is_compiling():
            grad_x, *grads = gradient_whole(x, alpha, beta, ctx.rule, still, grad)
        else:
            grad_x, *grads = _gradient(ctx, x, alpha, beta, grad)
        _, alpha_learns, beta_learns, *_ = ctx.needs_input_grad
        # one step alone never meets beta: no gradient, rather than one of zero that an optimizer would act on
        beta_learns = beta_learns and len(grad) > 1
        return grad_x, grads[0] if alpha_learns else None, grads[1] if beta_learns else None, None, None, None


@torch.autograd.function.once_differentiable
def _gradient(
    ctx: Any, x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, grad: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    still: int | None = ctx.still
    if grad.stride()[1:] != x.stride()[1:]:
        size = (len(grad), *x.shape[1:])
        grad = torch.empty_strided(
            size, (x[0].numel(), *x.stride()[1:]), dtype=grad.dtype, device=x.device
        ).copy_(grad)  # fmt: skip
    gradient = _engine(ctx.engine, x, ctx.rule, still)[1]
    grad_x, *grads = gradient(
        _rows(x, alpha, still), _features(alpha, x), _features(beta, x), ctx.rule, still, _rows(grad, alpha, None)
    )
    shaped = _shaped(grad_x if still is None else grad_x[None], x)
    return (shaped if still is None else shaped[0], *(_sample(each, x) for each in grads))


def _engine(engine: Engine, x: torch.Tensor, rule: Rule, still: int | None) -> tuple[Fire, Gradient]:
    steps = len(x) if still is None else still
    if engine == "compile" or (engine == "auto" and x[0].numel() * steps >= COMPILE_FROM):
        return compiled(steps, rule, still)
    return fire_rows, gradient_rows


def _channels_last(x: torch.Tensor) -> bool:
    return x.ndim == 5 and x[0].is_contiguous(memory_format=torch.channels_last)


def _dense(x: torch.Tensor) -> torch.Tensor:
    """x, copied if a step of it is neither contiguous nor channels-last. Steps may share memory (`expand`)."""
    return x if _channels_last(x) or x[0].is_contiguous() else x.contiguous()


def _rows(x: torch.Tensor, alpha: torch.Tensor, still: int | None) -> torch.Tensor:
    """View of dense steps in the order of memory: [T, M] where all neurons are alike, else [T, N, F].

    A still input has no T.
    """
    if alpha.ndim == 0:
        rows = x.as_strided((len(x), x[0].numel()), (x.stride(0), 1))
    else:
        size = x[0, 0].numel()
        rows = x.as_strided((len(x), x.shape[1], size), (x.stride(0), size, 1))
    return rows if still is None else rows[0]


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
    return flat.as_strided((len(flat), *x.shape[1:]), (flat.stride(0), *x.stride()[1:]))
