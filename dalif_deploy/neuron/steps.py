"""The steps of a sequence and their gradient, written once for all that run them; see `dalif_deploy.neuron.sequence`.

Each function makes new tensors, or writes into those that its caller gives it room in: the first is what torch.compile
fuses, the second what is fastest without it. The numbers are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch

from dalif_deploy.neuron.surrogate import SURROGATES

EachStep = Sequence[torch.Tensor] | torch.Tensor


class Rule(NamedTuple):
    """What a layer's steps have in common besides the decays, see `DALIF`."""

    v_threshold: float
    reset: str
    surrogate: str
    width: float


class Room(NamedTuple):
    """Tensors to write into: of each step, and what one step needs besides."""

    v: EachStep
    s: EachStep
    h: EachStep
    spare: Sequence[torch.Tensor] = ()


class Gradients(NamedTuple):
    """dL/dX of each step, or of all together where they share their X; what sums to dL/dalpha, and to dL/dbeta."""

    x: list[torch.Tensor]
    alpha: torch.Tensor
    beta: torch.Tensor | None


def membranes(
    x: EachStep, alpha: torch.Tensor, beta: torch.Tensor, rule: Rule, room: Room | None = None
) -> tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
    """V, S and, of all but the last, H of each step; all of the decays' type."""
    v: list[torch.Tensor] = []
    s: list[torch.Tensor] = []
    h: list[torch.Tensor] = []
    for t in range(len(x)):
        v_t, s_t, h_t = (None, None, None) if room is None else (room.v[t], room.s[t], room.h[t])
        now = torch.mul(x[t], alpha, out=v_t)
        v.append(torch.addcmul(now, beta, h[-1], out=v_t) if t else now)
        fired = v[t] >= rule.v_threshold if s_t is None else torch.ge(v[t], rule.v_threshold, out=s_t)
        s.append(fired.to(v[t].dtype))
        if t + 1 == len(x):
            break
        if rule.reset == "zero":
            h.append(torch.addcmul(v[t], v[t], s[t], value=-1, out=h_t))  # V - V * S is V * (1 - S), S being 0 or 1
        else:
            h.append(torch.sub(v[t], s[t], alpha=rule.v_threshold, out=h_t))
    return v, s, h


def membrane_gradient(
    v: EachStep, s: EachStep, grad: EachStep, beta: torch.Tensor, rule: Rule, spare: torch.Tensor | None = None
) -> list[torch.Tensor]:
    """G of each step.

    Args:
        v, s, grad: V, S and dL/dS of each step.
        spare: of a step's shape and type, to be written over; then V is, too.
    """
    g: list[torch.Tensor] = []  # the last step first
    for t in range(len(v) - 1, -1, -1):
        out = None if spare is None else v[t]
        distance, incoming = torch.sub(v[t], rule.v_threshold, out=out), grad[t]
        if rule.width != 1:
            distance, incoming = torch.div(distance, rule.width, out=out), incoming / rule.width
        now = torch.mul(SURROGATES[rule.surrogate][1](distance), incoming, out=out)
        if g:
            carry = torch.mul(g[-1], beta, out=spare)
            if rule.reset == "zero":
                carry = torch.addcmul(carry, carry, s[t], value=-1, out=spare)
            now = torch.add(now, carry, out=out)
        g.append(now)
    return g[::-1]


def gradients(
    x: EachStep,
    alpha: torch.Tensor,
    beta: torch.Tensor,
    rule: Rule,
    grad: EachStep,
    room: Room | None = None,
    *,
    still: bool,
) -> Gradients:
    """Of `membranes`, given dL/dS; X is the same at each step if `still`."""
    spare = (None, None, None) if room is None else room.spare
    v, s, h = membranes(x, alpha, beta, rule, room)
    g = membrane_gradient(v, s, grad, beta, rule, spare[0])
    of_beta = _products(g[1:], h, spare[1])
    if not still:
        of_alpha = _products(g, x, spare[2])
        assert of_alpha is not None  # there is a first step
        return Gradients([torch.mul(each, alpha, out=None if room is None else each) for each in g], of_alpha, of_beta)
    total = g[0]
    for each in g[1:]:
        total = torch.add(total, each, out=None if room is None else total)
    return Gradients([total * alpha], torch.mul(total, x[0], out=spare[2]), of_beta)


def _products(
    ones: Iterable[torch.Tensor], others: Iterable[torch.Tensor], out: torch.Tensor | None
) -> torch.Tensor | None:
    """Their sum; None of none."""
    total: torch.Tensor | None = None
    for one, other in zip(ones, others, strict=True):
        total = torch.mul(one, other, out=out) if total is None else torch.addcmul(total, one, other, out=out)
    return total


def fire_whole(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, rule: Rule, still: int | None) -> torch.Tensor:
    """Spikes [T, ...] of x [T, ...], or of x [...] at `still` steps, all at once; alpha and beta broadcast to a step.

    Membranes have the decays' type, spikes that of x: under autocast x has fewer bits.
    """
    _, s, _ = membranes(_each(x.to(alpha.dtype), still), alpha, beta, rule)
    return torch.stack([each.to(x.dtype) for each in s])


def gradient_whole(
    x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, rule: Rule, still: int | None, grad: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """dL/dX, dL/dalpha and dL/dbeta of `fire_whole`."""
    each = _each(x.to(alpha.dtype), still)
    found = gradients(each, alpha, beta, rule, grad.to(alpha.dtype), still=still is not None)
    over = tuple(range(each[0].ndim - alpha.ndim))
    grad_x = torch.stack(found.x) if still is None else found.x[0]
    grad_beta = torch.zeros_like(beta) if found.beta is None else found.beta.sum(over, dtype=beta.dtype)
    return grad_x.to(x.dtype), found.alpha.sum(over, dtype=alpha.dtype), grad_beta


def _each(x: torch.Tensor, still: int | None) -> EachStep:
    return x if still is None else [x] * still
