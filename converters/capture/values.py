"""What a running module computes, a value at a time: an expression over inputs and neurons' outputs, without batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .population import Population

Shape = tuple[int, ...]


@dataclass(eq=False)
class Value:
    """One value of one time step; `shape` is that of one sample."""

    shape: Shape


@dataclass(eq=False)
class InputValue(Value):
    """The data: that of time step `step`, or the same at each step (None).

    Attributes:
        coded: number of the encoding in the forward whose result this is (see `coded_input`); None for the data itself.
    """

    step: int | None
    coded: int | None = None


@dataclass(eq=False)
class Still(Value):
    """What is there before the data has reached it: zeros that a state or a record starts with."""


@dataclass(eq=False)
class NeuronValue(Value):
    """What a population gave out at time step `step`: "spikes", "membrane", or another state's name."""

    population: Population
    step: int
    what: str


@dataclass(eq=False)
class Operation(Value):
    """A function of other values of the same step; of kind "delay", of a value `steps` (a parameter) before.

    Attributes:
        kind: see `operation_nodes`, which says what each is in NIR.
        name: where in the module it was computed.
        parameters: plain numbers, strings, tuples, and arrays (float64).
    """

    kind: str
    name: str
    inputs: tuple[Value, ...]
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class OverTime(Value):
    """What became of values of several steps: "sum", "mean", "max" or "last"."""

    how: str
    values: tuple[Value, ...]


@dataclass(eq=False)
class Ranked(Value):
    """A function of `of` that keeps its order, as a softmax does: another scale. Only a result may be one.

    Attributes:
        how: what it is called. "argmax" gives the place of the largest alone.
    """

    of: Value
    how: str


@dataclass(eq=False)
class Untold(Value):
    """A value that no graph can say; an error only if a neuron or the result depends on it.

    Attributes:
        of_data: True if it is made of the data alone.
    """

    name: str
    what: str
    remedy: str
    of_data: bool = False


def is_not_negative(value: Value) -> bool:
    """True if no number of the value is ever below 0."""
    if isinstance(value, Still):
        return True
    if isinstance(value, NeuronValue):
        return value.what == "spikes" and value.population.fires
    if not isinstance(value, Operation):
        return False
    if value.kind in ("max_pool", "both", "abs"):
        return True
    if value.kind == "affine" and any(np.any(value.parameters[key] < 0) for key in ("scale", "shift")):
        return False
    passes = value.kind in ("affine", "add", "avg_pool", "reshape", "permute", "cat") or value.parameters.get("picks")
    return bool(passes) and all(map(is_not_negative, value.inputs))


def is_binary(value: Value) -> bool:
    """True if the value is 0 or 1 whatever comes."""
    if isinstance(value, NeuronValue):
        return value.what == "spikes" and value.population.fires and not value.population.several
    if isinstance(value, InputValue):
        return False
    if isinstance(value, Still):
        return True
    if isinstance(value, Operation):
        if value.kind in ("max_pool", "both"):
            return True
        picks = value.kind in ("reshape", "permute", "cat") or value.parameters.get("picks", False)
        return bool(picks) and all(map(is_binary, value.inputs))
    return False
