"""A value as a weighted sum of what it is made of, through the states that a forward adds up over its steps.

`syn = alpha * syn + fc(x)`, written out in a loop, is after t steps a sum over all that came before:
fc(x[t]) + alpha fc(x[t-1]) + alpha^2 fc(x[t-2]) and so on. Here that sum is written down; `filters` reads alpha off it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

from .apply import apply_linear
from .arithmetic import affine
from .values import InputValue, NeuronValue, Operation, Still, Value

Found = TypeVar("Found")

PUSHED = ("linear", "conv", "avg_pool", "reshape", "permute", "matrix")  # linear, of one input


@dataclass
class Expansion:
    """constant + the sum of factor * value.

    Attributes:
        terms: id of a value -> (the value, its factor, broadcastable against it).
        constant: broadcastable against the whole.
    """

    terms: dict[int, tuple[Value, Any]] = field(default_factory=dict)
    constant: Any = 0.0

    def add(self, other: Expansion, scale: Any = 1.0) -> None:
        """Adds scale * other."""
        for key, (value, factor) in other.terms.items():
            before = self.terms[key][1] if key in self.terms else 0.0
            self.terms[key] = (value, before + factor * scale)
        self.constant = self.constant + other.constant * scale


class Expansions:
    """Expansions of values, each worked out once.

    Args:
        apart: takes the biases of layers for constants everywhere, so that a layer of a state and one of a single step
            are the same.
    """

    def __init__(self, *, apart: bool = False) -> None:
        self._apart = apart
        self._known: dict[int, Expansion] = {}
        self._kept: list[Value] = []
        self._steps: dict[int, frozenset[int]] = {}

    def __call__(self, value: Value) -> Expansion:
        """The expansion of `value`."""
        return self._worked_out(value, self._known, self._inner, self._of)

    def steps(self, value: Value) -> frozenset[int]:
        """The time steps whose data or spikes a value is made of; empty where it is of data shown at each step."""
        return self._worked_out(value, self._steps, _inputs, self._steps_of)

    def _worked_out(
        self,
        value: Value,
        known: dict[int, Found],
        inner: Callable[[Value], tuple[Value, ...]],
        of: Callable[[Value], Found],
    ) -> Found:
        """`of` the value, after what it is made of. States may be thousands of operations deep: no recursion."""
        waiting = [value]
        while waiting:
            each = waiting[-1]
            missing = [] if id(each) in known else [v for v in inner(each) if id(v) not in known]
            if missing:
                waiting += missing
                continue
            if id(each) not in known:
                known[id(each)] = of(each)
                self._kept.append(each)  # an id must stay this value's
            waiting.pop()
        return known[id(value)]

    def _steps_of(self, value: Value) -> frozenset[int]:
        own: frozenset[int] = frozenset()
        if isinstance(value, NeuronValue | InputValue) and value.step is not None:
            own = frozenset([value.step])
        return own.union(*(self._steps[id(v)] for v in _inputs(value)))

    def _inner(self, value: Value) -> tuple[Value, ...]:
        if isinstance(value, Operation) and value.kind in ("add", "affine", *PUSHED):
            return value.inputs
        return ()

    def _of(self, value: Value) -> Expansion:
        if isinstance(value, Still):
            return Expansion()
        if not isinstance(value, Operation) or not self._inner(value):
            return Expansion({id(value): (value, 1.0)})
        if value.kind == "add":
            found = Expansion()
            for v in value.inputs:
                found.add(self._known[id(v)])
            return found
        inner = self._known[id(value.inputs[0])]
        if value.kind == "affine":
            found = Expansion(constant=value.parameters["shift"])
            found.add(inner, value.parameters["scale"])
            return found
        if not self._apart and inner.terms and len(self.steps(value.inputs[0])) <= 1 and not self._summed(inner):
            return Expansion({id(value): (value, 1.0)})
        return self._pushed(value, inner)

    def _summed(self, inner: Expansion) -> bool:
        """True if one of the terms is a state that a loop over data shown at each step adds up."""
        return any(np.size(factor) == 1 and float(np.ravel(factor)[0]) != 1.0 for _, factor in inner.terms.values())

    def _pushed(self, op: Operation, inner: Expansion) -> Expansion:
        """A linear layer of a sum is the sum of that layer's outputs; its bias counts once."""
        plain = {k: (None if k == "bias" else v) for k, v in op.parameters.items()}
        found = Expansion()
        for value, factor in inner.terms.values():
            if np.size(factor) == 1:
                of, left = value, float(np.ravel(factor)[0])
            else:
                of, left = affine(op.name, value, np.asarray(factor), np.asarray(0.0)), 1.0
            term = Operation(op.shape, op.kind, op.name, (of,), plain)
            found.terms[id(term)] = (term, left)
        constant = np.broadcast_to(np.asarray(inner.constant, dtype=np.float64), op.inputs[0].shape)
        if constant.any():
            moved = apply_linear(op, torch.from_numpy(np.array(constant))[None])
            found.constant = found.constant + moved[0].numpy()
        bias = op.parameters.get("bias")
        if bias is not None:
            found.constant = found.constant + np.asarray(bias).reshape(-1, *[1] * (len(op.shape) - 1))
        return found


def _inputs(value: Value) -> tuple[Value, ...]:
    return value.inputs if isinstance(value, Operation) else ()


def at_rest(value: Value) -> np.ndarray:
    """What a value is while nothing fires and the data are zeros."""
    if not isinstance(value, Operation) or value.kind in ("both", "max_pool", "product"):
        return np.zeros(value.shape)
    p = value.parameters
    if value.kind == "add":
        return np.asarray(sum(at_rest(v) for v in value.inputs))
    if value.kind == "affine":
        return np.asarray(at_rest(value.inputs[0]) * p["scale"] + p["shift"])
    if value.kind == "delay":
        return at_rest(value.inputs[0])
    parts: Any = 0.0
    for i, v in enumerate(value.inputs):
        inner = at_rest(v)
        if inner.any():
            parts = parts + apply_linear(value, torch.from_numpy(inner)[None], i)[0].numpy()
    if p.get("bias") is not None:
        parts = parts + np.asarray(p["bias"]).reshape(-1, *[1] * (len(value.shape) - 1))
    return np.array(np.broadcast_to(parts, value.shape))
