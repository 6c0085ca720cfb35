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

from dalif_deploy.neuron.eager import fire_rows, gradient_rows
from dalif_deploy.neuron.steps import Rule, fire_whole, gradient_whole

# Entries of the input from which "auto" compiles. Compiling takes about 14 s the first time on a machine and 3 s after
# that (torch caches it), and saves about 3 ns an entry in forward and backward: at this size it is back after a few
# thousand calls, which small data sets never reach. A fixed size, and not a clock, so that a run can be repeated.
COMPILE_FROM = 2**20

Fire = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Rule, int | None], torch.Tensor]
Gradient = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, Rule, int | None, torch.Tensor],
    tuple[torch.Tensor, torch.Tensor, torch.Tensor],
]

_unavailable = False


@cache
def compiled(steps: int, rule: Rule, still: int | None) -> tuple[Fire, Gradient]:
    """`fire_rows` and `gradient_rows` of `dalif_deploy.neuron.eager` for `steps` steps."""
    return (
        _with_fallback(fire_whole, fire_rows, steps, rule, still),
        _with_fallback(gradient_whole, gradient_rows, steps, rule, still),
    )


def _with_fallback(
    function: Callable[..., Any], eager: Callable[..., Any], steps: int, rule: Rule, still: int | None
) -> Callable[..., Any]:
    fused = None

    def run(*tensors_and_rule: Any) -> Any:
        x, alpha, beta, _, _, *grad = tensors_and_rule
        global _unavailable
        nonlocal fused
        if not _unavailable:
            try:
                if fused is None:
                    fused = torch.compile(_bound(function, steps, rule, still), dynamic=True, fullgraph=True)
                return fused(x, alpha, beta, *grad)
            except Exception as error:  # whatever is missing, torch names it in many types
                _unavailable = True
                first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
                warnings.warn(
                    f"torch.compile does not work here ({first_line[:200]}): neurons run slower, with the same results",
                    stacklevel=2,
                )
        return eager(x, alpha, beta, rule, still, *grad)

    return run


def _bound(function: Callable[..., Any], steps: int, rule: Rule, still: int | None) -> FunctionType:
    def bound(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor, *grad: torch.Tensor) -> Any:
        return function(x, alpha, beta, rule, still, *grad)

    # torch counts recompilations by code object and gives up at a few: rules are not to count against each other
    code = bound.__code__.replace(co_name=f"{function.__name__}_{steps}_{hash((rule, still))}")
    return FunctionType(code, globals(), code.co_name, None, bound.__closure__)
