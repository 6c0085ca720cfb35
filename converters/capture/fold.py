"""The steps of a run folded into one: every step must compute the same from what is there at that step."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from dalif_deploy.hw_models.errors import UserError

from .population import Population
from .values import InputValue, NeuronValue, Operation, OverTime, Ranked, Still, Untold, Value


class Signatures:
    """A number for each value at a step: equal numbers, equal expressions, told by steps back from that step."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._known: dict[tuple[int, int], int] = {}
        self._digests: dict[int, tuple[np.ndarray, bytes]] = {}
        self._kept: list[Value] = []

    def __call__(self, value: Value, step: int) -> int:
        """Number of `value` seen from `step`."""
        known = self._known.get((id(value), step))
        if known is not None:
            return known
        self._kept.append(value)  # an id must stay this value's
        key = self._key(value, step)
        number = self._numbers.setdefault(key, len(self._numbers))
        self._known[id(value), step] = number
        return number

    def _key(self, value: Value, step: int) -> Any:
        if isinstance(value, InputValue):
            return ("input", value.coded, None if value.step is None else value.step - step)
        if isinstance(value, NeuronValue):
            return ("neuron", id(value.population), value.what, value.step - step)
        if isinstance(value, Operation):
            if value.kind == "delay":
                wait = value.parameters["steps"]
                return (value.kind, wait, tuple(self(v, step - wait) for v in value.inputs))
            parameters = tuple(sorted((k, self._digest(v)) for k, v in value.parameters.items()))
            return (value.kind, value.shape, parameters, tuple(self(v, step) for v in value.inputs))
        if isinstance(value, Still):
            return ("still", value.shape)
        if isinstance(value, OverTime):
            return ("over time", value.how, tuple(self(v, step) for v in value.values))
        if isinstance(value, Ranked):
            return (value.how, self(value.of, step))
        if isinstance(value, Untold):
            raise UserError(value.what, where=value.name, remedy=value.remedy)
        raise TypeError(type(value))

    def _digest(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return repr(value)
        if id(value) not in self._digests:
            data = hashlib.sha256(np.ascontiguousarray(value).tobytes()).digest()
            self._digests[id(value)] = (value, data + repr(value.shape).encode())
        return self._digests[id(value)][1]


def fold(populations: list[Population], signatures: Signatures) -> int:
    """The step that stands for all, the last one.

    Raises:
        UserError: a layer that is not called once a step, a step that computes something else than the last.
    """
    steps = max(len(p.inputs) for p in populations)
    for p in populations:
        if len(p.inputs) != steps:
            raise UserError(
                f"is called {len(p.inputs)} times where other layers are called {steps} times",
                where=p.name,
                remedy="call each neuron once a time step",
            )
    last = steps - 1
    for p in populations:
        _refuse_products(p.inputs[last])
        if p.folded:
            continue
        template = signatures(p.inputs[last], last)
        for step in range(1, last):
            if not isinstance(p.inputs[step], Still) and signatures(p.inputs[step], step) != template:
                raise UserError(
                    f"step {step} computes something different from step {last}: {difference(p, step, last)}",
                    where=p.name,
                    remedy="do the same in every time step",
                )
        still = isinstance(p.inputs[0], Still)
        if not still and signatures(p.inputs[0], 0) != template and not looks_back(p.inputs[last], last):
            raise UserError(
                f"step 0 computes something different from step {last}: {difference(p, 0, last)}",
                where=p.name,
                remedy="do the same in every time step",
            )
    return last


def _refuse_products(value: Value) -> None:
    if isinstance(value, Ranked):
        raise UserError(
            f"a {value.how} between layers; neurons on the chip add", remedy="take it of the network's result alone"
        )
    if isinstance(value, Operation):
        if value.kind == "product":
            raise UserError(
                "a product of two signals; neurons on the chip add",
                where=value.name,
                remedy="multiply by constants only",
            )
        if value.kind in ("sign", "sgn", "abs"):
            raise UserError(
                "the sign or the absolute value of a signal; neurons on the chip add",
                where=value.name,
                remedy="leave it out",
            )
        for v in value.inputs:
            _refuse_products(v)


def difference(p: Population, step: int, last: int) -> str:
    """The two expressions in words."""
    return f"{words(p.inputs[step], step)} against {words(p.inputs[last], last)}"


def words(value: Value, step: int, depth: int = 3) -> str:
    """An expression for an error."""
    if isinstance(value, Still):
        return "nothing yet"
    if isinstance(value, InputValue):
        return "the data" if value.step is None else f"the data of step {value.step - step:+d}"
    if isinstance(value, NeuronValue):
        back = value.step - step
        return f"{value.what} of {value.population.name}" + (f" of step {back:+d}" if back else "")
    if isinstance(value, Operation):
        if not depth:
            return "…"
        inner = ", ".join(words(v, step, depth - 1) for v in value.inputs)
        return f"{value.name or value.kind}({inner})"
    return type(value).__name__


def looks_back(value: Value, step: int) -> bool:
    """True if the value depends on what neurons gave out in a step before."""
    if isinstance(value, NeuronValue):
        return value.step < step
    if isinstance(value, Operation):
        return any(looks_back(v, step) for v in value.inputs)
    return False
