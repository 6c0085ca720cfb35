"""Neurons that people write as modules of their own: found out by trying them, since no table can know them.

A module without weights that keeps one membrane in an attribute is fed with currents of our own, from rest; what it
does to the membrane gives its decay, gain, threshold and reset. That the coefficients are right is not believed but
verified, as for every other neuron: each spike and each membrane on the person's samples.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..neuron_nodes import late_subtraction, leaky
from ..population import Neuron, NeuronCall, NeuronNodes

BISECTIONS = 80


@dataclass(frozen=True)
class Coefficients:
    """v = beta v + gain x + offset, float64 of one value or of the layer's shape.

    Attributes:
        threshold: the largest membrane that does not fire; None of neurons that never fire.
        reset: "zero", "subtract", "late" where the threshold is subtracted a step after the spike, or "blind" where
            the input of that step is wiped with the membrane.
    """

    beta: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    threshold: np.ndarray | None
    reset: str


class Tried:
    """What was found out of modules so far: each is tried once, when it is first called, at rest."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[nn.Module, Neuron | None]] = {}

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> Neuron | None:
        """How the module is called if it is a neuron."""
        if not _may_be_one(module, args):
            return None
        if id(module) not in self._found:
            self._found[id(module)] = (module, _tried(module, args[0]))
        return self._found[id(module)][1]


def _may_be_one(module: nn.Module, args: tuple[Any, ...]) -> bool:
    if type(module).__module__.startswith("torch.") or isinstance(module, nn.Sequential | nn.ModuleList):
        return False
    if len(args) != 1 or not isinstance(args[0], torch.Tensor) or not args[0].is_floating_point():
        return False
    return not any(p.ndim > 1 for p in module.parameters())


def _tried(module: nn.Module, x: torch.Tensor) -> Neuron | None:
    try:
        membrane = _membrane_name(module, x)
        if membrane is None:
            return None
        shape = tuple(x.shape[1:])
        found = _coefficients(module, membrane, shape, x.dtype)
    except Exception:  # a module that is something else, in any way
        return None
    if found is None:
        return None
    return Neuron(_call(module, membrane), lambda shape: _nodes(found, shape), fires=found.threshold is not None)


def _call(module: nn.Module, membrane: str) -> Callable[..., NeuronCall]:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NeuronCall:
        output = module.forward(*args, **kwargs)
        state = getattr(module, membrane)
        spikes = output[0] if isinstance(output, tuple) else output
        return NeuronCall(output, args[0], spikes, None, {}, {"membrane": state} if state is not spikes else {})

    return call


def _attributes(module: nn.Module) -> dict[str, Any]:
    memories = module.__dict__.get("_memories", {})  # SpikingJelly's
    return {**vars(module), **dict(module.named_buffers(recurse=False)), **memories}


def _run(module: nn.Module, inputs: list[torch.Tensor], membrane: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(output, membrane) at each step, of a copy."""
    trial = copy.deepcopy(module)
    seen = []
    for x in inputs:
        out = trial.forward(x)
        out = out[0] if isinstance(out, tuple) else out
        state = getattr(trial, membrane)
        seen.append((out.detach().double().clone(), state.detach().double().clone()))
    return seen


def _membrane_name(module: nn.Module, x: torch.Tensor) -> str | None:
    """The one attribute that becomes a tensor of the input's shape and moves, None if there is not exactly one."""
    trial = copy.deepcopy(module)
    weak = torch.full_like(x, 1e-3)
    out = trial.forward(weak)
    out = out[0] if isinstance(out, tuple) else out
    if not isinstance(out, torch.Tensor) or out.shape != x.shape:
        return None
    found = [
        name
        for name, value in _attributes(trial).items()
        if isinstance(value, torch.Tensor) and value.shape == x.shape and bool(value.any())
    ]
    return found[0] if len(found) == 1 else None


def _coefficients(module: nn.Module, membrane: str, shape: tuple[int, ...], dtype: torch.dtype) -> Coefficients | None:
    def level(value: Any) -> torch.Tensor:
        return torch.as_tensor(np.broadcast_to(value, shape).copy()).to(dtype)[None]

    weak = 1e-3
    zero = level(0.0)
    (_, rest), (_, rest_2) = _run(module, [zero, zero], membrane)
    (out, one), (_, two) = _run(module, [level(weak), zero], membrane)
    offset = rest[0].numpy()
    gain = (one[0].numpy() - offset) / weak
    beta = (two[0].numpy() - offset) / one[0].numpy()
    if not np.isfinite(beta).all() or (gain == 0).any():
        return None
    beta, gain, offset = (_compact(v) for v in (beta, gain, offset))
    if np.abs(rest_2[0].numpy() - (beta * offset + offset)).max() > 1e-9:
        return None
    if torch.equal(out, one):  # gives its membrane out
        return Coefficients(beta, gain, offset, None, "zero")
    if out.any():
        return None
    low, high = np.zeros(shape), np.full(shape, 1.0)
    while not bool(_run(module, [level(high)], membrane)[0][0].all()):
        high = high * 4
        if high.max() > 1e6:
            return None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        fires = _run(module, [level(middle)], membrane)[0][0][0].numpy() != 0
        low, high = np.where(fires, low, middle), np.where(fires, middle, high)
    threshold = _compact(gain * low + offset)
    reset = _reset(module, membrane, level(high * 1.25), level(weak), beta, gain, offset, threshold, high * 1.25)
    return None if reset is None else Coefficients(beta, gain, offset, threshold, reset)


def _reset(
    module: nn.Module, membrane: str, strong: torch.Tensor, weak: torch.Tensor, beta: Any, gain: Any, offset: Any,
    threshold: Any, high: np.ndarray,
) -> str | None:  # fmt: skip
    (spikes, after), (_, later) = _run(module, [strong, weak], membrane)
    if not bool((spikes == 1).all()):
        return None
    charged, added = gain * high + offset, gain * weak[0].double().numpy() + offset
    at_once, next_step = after[0].numpy(), later[0].numpy()

    def near(a: Any, b: Any) -> bool:
        return bool(np.abs(a - b).max() <= 1e-6 * max(float(np.abs(charged).max()), 1e-9))

    if near(at_once, 0.0) and near(next_step, added):
        return "zero"
    if near(at_once, charged - threshold):
        return "subtract"
    if near(at_once, charged) and near(next_step, beta * charged + added - threshold):
        return "late"
    if near(at_once, charged) and near(next_step, added):
        return "zero"  # wiped before the next input comes in: the same
    if near(next_step, 0.0) and (near(at_once, charged) or near(at_once, 0.0)):
        return "blind"
    return None


def _compact(values: np.ndarray) -> np.ndarray:
    """One number where all agree but for rounding."""
    first = values.flat[0] if values.size else math.nan
    return np.array(first) if np.allclose(values, first, rtol=1e-12, atol=0) else values


def _nodes(found: Coefficients, shape: tuple[int, ...]) -> NeuronNodes:
    rest = np.divide(
        found.offset, 1 - found.beta, out=np.zeros(np.shape(found.offset * found.beta)), where=found.beta != 1
    )
    node = leaky(
        shape,
        beta=found.beta,
        gain=found.gain,
        rest=rest,
        threshold=found.threshold,
        reset="zero" if found.reset in ("zero", "blind") else "subtract",
        refractory=int(found.reset == "blind"),
    )
    nodes = NeuronNodes(node)
    if found.reset == "late":
        late_subtraction(nodes, found.beta, found.threshold, shape, None, found.gain)
    return nodes
