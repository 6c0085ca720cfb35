"""The two passes of a sequence, tensor operation by tensor operation; see `dalif_deploy.neuron.sequence`."""

from __future__ import annotations

import torch

from dalif_deploy.neuron.steps import EachStep, Room, Rule, gradients, membranes

# Neurons that are taken through all steps at a time: what one operation hands to the next stays in the cache,
# and torch still shares the operation among a few threads
BLOCK = 2**18


def fire_rows(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, rule: Rule, still: int | None) -> torch.Tensor:
    """Spikes [T, M] of x [T, M], alpha and beta of shape (); or [T, N, F] of [T, N, F], alpha and beta [F].

    Args:
        still: x is [M] or [N, F], the same at each of so many steps.

    Membranes have the decays' type, spikes that of x: under autocast x has fewer bits.
    """
    steps, width, *features = x.shape if still is None else (still, *x.shape)
    spikes = torch.empty((steps, width, *features), dtype=x.dtype, device=x.device)
    block = _block(spikes)
    membrane, held = (_empty((min(block, width), *features), alpha) for _ in range(2))
    for start in range(0, width, block):
        x_part, fired = _part(x, still, start, block, alpha), spikes[:, start : start + block]
        size = fired.shape[1]
        s = fired if fired.dtype == alpha.dtype else _empty(fired.shape, alpha)
        membranes(x_part, alpha, beta, rule, Room([membrane[:size]] * steps, s, [held[:size]] * steps))
        if s is not fired:
            fired.copy_(s)
    return spikes


def gradient_rows(
    x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, rule: Rule, still: int | None, grad: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """dL/dX, dL/dalpha and dL/dbeta, shaped as `fire_rows` takes them, of grad = dL/dS in the shape of the spikes."""
    steps, width, *features = grad.shape
    block, over = _block(grad), tuple(range(grad.ndim - 1 - alpha.ndim))
    grad_x = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    grad_alpha, grad_beta = torch.zeros_like(alpha), torch.zeros_like(beta)
    size = min(block, width), *features
    v, s, h = (_empty((steps, *size), alpha) for _ in range(3))
    spare = [_empty(size, alpha) for _ in range(3)]
    for start in range(0, width, block):
        part = slice(start, start + block)
        held = grad[:, part].shape[1]
        room = Room(v[:, :held], s[:, :held], h[:, :held], [each[:held] for each in spare])
        found = gradients(
            _part(x, still, start, block, alpha),
            alpha,
            beta,
            rule,
            grad[:, part].to(alpha.dtype),
            room,
            still=still is not None,
        )
        for whole, each in zip(grad_x if still is None else [grad_x], found.x, strict=True):
            whole[part].copy_(each)
        grad_alpha += found.alpha.sum(over, dtype=alpha.dtype)
        if found.beta is not None:
            grad_beta += found.beta.sum(over, dtype=beta.dtype)
    return grad_x, grad_alpha, grad_beta


def _empty(shape: tuple[int, ...] | torch.Size, like: torch.Tensor) -> torch.Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device)


def _part(x: torch.Tensor, still: int | None, start: int, block: int, decay: torch.Tensor) -> EachStep:
    if still is None:
        return x[:, start : start + block].to(decay.dtype)
    return [x[start : start + block].to(decay.dtype)] * still


def _block(spikes: torch.Tensor) -> int:
    """Entries of the second axis that make a block."""
    return max(1, BLOCK // max(1, spikes[0, :1].numel()))
