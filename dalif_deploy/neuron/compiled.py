"""The sequence's two passes fused by torch.compile: each reads its inputs once, whatever T is.

Written as one function of a whole sequence and compiled for each T and rule, with any number of neurons. Where
torch.compile does not work (no C++ compiler, a Python or torch without it), one warning, and the eager engine goes on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import torch

from dalif_deploy.neuron.eager import Rule, fire_rows, gradient_rows
from dalif_deploy.neuron.surrogate import SURROGATES

# Entries of the input from which "auto" compiles. Compiling takes about 14 s the first time on a machine and 3 s after
# that (torch caches it), and saves about 3 ns an entry in forward and backward: at this size it is back after a few
# thousand calls, which small data sets never reach. A fixed size, and not a clock, so that a run can be repeated.
COMPILE_FROM = 2**20

Fire = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Rule], torch.Tensor]
Gradient = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, Rule, torch.Tensor], tuple[torch.Tensor, torch.Tensor, torch.Tensor]
]

_unavailable = False


@cache
def compiled(steps: int, rule: Rule) -> tuple[Fire, Gradient]:
    """`fire_rows` and `gradient_rows` of `dalif_deploy.neuron.eager` for `steps` steps."""
    return _with_fallback(_fire, fire_rows, steps, rule), _with_fallback(_gradient, gradient_rows, steps, rule)


def _with_fallback(
    function: Callable[..., Any], eager: Callable[..., Any], steps: int, rule: Rule
) -> Callable[..., Any]:
    fused = None

    def run(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, _: Rule, *grad: torch.Tensor) -> Any:
        global _unavailable
        nonlocal fused
        if not _unavailable:
            try:
                if fused is None:
                    fused = torch.compile(_bound(function, steps, rule), dynamic=True, fullgraph=True)
                return fused(x, alpha, beta, *grad)
            except Exception as error:  # whatever is missing, torch names it in many types
                _unavailable = True
                first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
                warnings.warn(
                    f"torch.compile does not work here ({first_line[:200]}): neurons run slower, with the same results",
                    stacklevel=2,
                )
        return eager(x, alpha, beta, rule, *grad)

    return run


def _bound(function: Callable[..., Any], steps: int, rule: Rule) -> FunctionType:
    def bound(*tensors: torch.Tensor) -> Any:
        return function(rule, *tensors)

    # torch counts recompilations by code object and gives up at a few: rules are not to count against each other
    code = bound.__code__.replace(co_name=f"{function.__name__}_{steps}_{hash(rule)}")
    return FunctionType(code, globals(), code.co_name, None, bound.__closure__)


def _fire(rule: Rule, x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    return torch.stack([s.to(x.dtype) for _, s, _ in _steps(rule, x.to(alpha.dtype), alpha, beta)])


def _gradient(
    rule: Rule, x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, grad: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    given, x, grad = x.dtype, x.to(alpha.dtype), grad.to(alpha.dtype)
    steps = _steps(rule, x, alpha, beta)
    bump = SURROGATES[rule.surrogate][1]
    grad_x, grad_alpha, grad_beta, carry = [], torch.zeros_like(x[0]), torch.zeros_like(x[0]), None
    for t in range(len(steps) - 1, -1, -1):
        v, s, _ = steps[t]
        g = bump((v - rule.v_threshold) / rule.width) * (grad[t] / rule.width)
        if carry is not None:
            g = g + (carry * (1 - s) if rule.reset == "zero" else carry)
        carry = beta * g
        grad_x.append(alpha * g)
        grad_alpha = grad_alpha + g * x[t]
        if t:
            grad_beta = grad_beta + g * steps[t - 1][2]
    over, stacked = tuple(range(x.ndim - 1 - alpha.ndim)), torch.stack(grad_x[::-1]).to(given)
    return stacked, grad_alpha.sum(over, dtype=alpha.dtype), grad_beta.sum(over, dtype=beta.dtype)


def _steps(
    rule: Rule, x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor
) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """V, S and H of each step."""
    steps: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for t in range(x.shape[0]):
        current = alpha * x[t]
        v = torch.addcmul(current, beta, steps[-1][2]) if steps else current
        s = (v >= rule.v_threshold).to(v.dtype)
        steps.append((v, s, v * (1 - s) if rule.reset == "zero" else v - rule.v_threshold * s))
    return steps
