"""The two passes of a sequence, tensor operation by tensor operation; see `dalif_deploy.neuron.sequence`."""

from __future__ import annotations

from typing import NamedTuple

import torch

from dalif_deploy.neuron.surrogate import SURROGATES

# Neurons that are taken through all steps at a time: what one operation hands to the next stays in the cache,
# and torch still shares the operation among a few threads
BLOCK = 2**18


class Rule(NamedTuple):
    """What a layer's steps have in common besides the decays, see `DALIF`."""

    v_threshold: float
    reset: str
    surrogate: str
    width: float


def fire_rows(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, rule: Rule) -> torch.Tensor:
    """Spikes of x: [T, M], alpha and beta of shape (); or [T, N, F], alpha and beta [F].

    Membranes have the decays' type, spikes that of x: under autocast x has fewer bits.
    """
    spikes = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    block = _block(x)
    size = min(block, x.shape[1]), *x.shape[2:]
    membrane, held = (torch.empty(size, dtype=alpha.dtype, device=x.device) for _ in range(2))
    for start in range(0, x.shape[1], block):
        x_part, fired = x[:, start : start + block].to(alpha.dtype), spikes[:, start : start + block]
        s = fired if fired.dtype == alpha.dtype else torch.empty_like(x_part)
        v, h = membrane[: s.shape[1]], held[: s.shape[1]]
        for t in range(len(x)):
            _charge(x_part[t], alpha, beta, h if t else None, v)
            torch.ge(v, rule.v_threshold, out=s[t])
            if t + 1 < len(x):
                _release(v, s[t], rule, h)
        if s is not fired:
            fired.copy_(s)
    return spikes


def gradient_rows(
    x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, rule: Rule, grad: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """dL/dX, dL/dalpha and dL/dbeta, shaped as `fire_rows` takes them, of grad = dL/dS in the shape of x."""
    steps, width, *features = x.shape
    block, over = _block(x), tuple(range(x.ndim - alpha.ndim))
    grad_x = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    grad_alpha, grad_beta = torch.zeros_like(alpha), torch.zeros_like(beta)
    size = steps, min(block, width), *features
    membrane, held, fired = (torch.empty(size, dtype=alpha.dtype, device=x.device) for _ in range(3))
    for start in range(0, width, block):
        x_part, gx = x[:, start : start + block].to(alpha.dtype), grad_x[:, start : start + block]
        v, h, s = (buffer[:, : gx.shape[1]] for buffer in (membrane, held, fired))
        for t in range(steps):
            _charge(x_part[t], alpha, beta, h[t - 1] if t else None, v[t])
            if t + 1 < steps:
                torch.ge(v[t], rule.v_threshold, out=s[t])
                _release(v[t], s[t], rule, h[t])
        g = membrane_gradient(v, s, grad[:, start : start + block].to(alpha.dtype), beta, rule)
        torch.mul(g, alpha, out=gx)
        grad_alpha += torch.mul(g, x_part, out=v).sum(over, dtype=alpha.dtype)
        grad_beta += torch.mul(g[1:], h[:-1], out=v[1:]).sum(over, dtype=beta.dtype)
    return grad_x, grad_alpha, grad_beta


def _block(x: torch.Tensor) -> int:
    """Entries of x's second axis that make a block."""
    return max(1, BLOCK // max(1, x[0, :1].numel()))


def membrane_gradient(
    v: torch.Tensor, s: torch.Tensor, grad: torch.Tensor, beta: torch.Tensor, rule: Rule
) -> torch.Tensor:
    """G [T, ...], see above, from V [T, ...], which is lost, and the spikes S of all steps but the last."""
    carry = torch.empty_like(v[0])
    g = v.sub_(rule.v_threshold)
    if rule.width != 1:
        g, grad = g.div_(rule.width), grad / rule.width
    g = SURROGATES[rule.surrogate][1](g).mul_(grad)
    for t in range(len(v) - 2, -1, -1):
        torch.mul(g[t + 1], beta, out=carry)
        if rule.reset == "zero":
            carry.addcmul_(carry, s[t], value=-1)
        g[t].add_(carry)
    return g


def _charge(
    x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, held: torch.Tensor | None, out: torch.Tensor
) -> None:
    torch.mul(x, alpha, out=out)
    if held is not None:
        out.addcmul_(beta, held)


def _release(v: torch.Tensor, s: torch.Tensor, rule: Rule, out: torch.Tensor) -> None:
    if rule.reset == "zero":
        torch.addcmul(v, v, s, value=-1, out=out)  # V - V * S is V * (1 - S), S being 0 or 1
    else:
        torch.sub(v, s, alpha=rule.v_threshold, out=out)
