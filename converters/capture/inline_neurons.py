"""Neurons written out in a forward: `mem = decay * mem * (1 - spike) + x; spike = (mem > threshold).float()`.

A comparison of a signal with a constant is taken for the spikes of a population, its left side for the membrane. What
a step does to the membrane of the step before is read off the expression, as coefficients of

    v[t] = a v[t-1] + b s[t-1] v[t-1] + c s[t-1] + input

and these decide decay and reset: b = -a to zero, c = -a threshold by subtraction, c = -threshold a step late. Where a
spike wipes the input of the step after it as well, (1 - s[t-1]) * (a v[t-1] + input), that step is refractory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

from .arithmetic import affine
from .layout import LayoutError, Tracked, with_features
from .neuron_nodes import below, late_subtraction, leaky
from .population import Neuron, NeuronCall, NeuronNodes, Population
from .values import NeuronValue, Operation, Value

if TYPE_CHECKING:
    from .recorder import Recorder

Atom = tuple[str, int]  # ("v", 0), ("s", 0), ("sv", 0), ("one", 0), or ("value", id)
Polynomial = dict[Atom, Any]


@dataclass
class Comparison:
    """A population of comparisons, an entry a step."""

    population: Population
    signals: list[Value] = field(default_factory=list)
    constant: Any = None
    strict: bool = True
    latest: Value | None = None
    membranes: list[Value] = field(default_factory=list)
    threshold: Any = None

    def settle(self) -> None:
        """Takes scale and shift of the last step's comparison, (v - threshold) > 0, off every step's."""
        last = self.signals[-1]
        scale, shift = np.asarray(1.0), np.asarray(0.0)
        if isinstance(last, Operation) and last.kind == "affine":
            scale, shift = (np.asarray(last.parameters[key], dtype=np.float64) for key in ("scale", "shift"))
        self.threshold = (self.constant - shift) / scale
        for signal in self.signals:
            own = signal.parameters if isinstance(signal, Operation) and signal.kind == "affine" else {}
            if own and np.array_equal(own["scale"], scale) and np.array_equal(own["shift"], shift):
                self.membranes.append(signal.inputs[0])  # type: ignore[attr-defined]
            else:
                self.membranes.append(affine(self.population.name, signal, 1 / scale, -shift / scale))


class InlineNeurons:
    """The comparisons of a run."""

    def __init__(self) -> None:
        self.found: list[Comparison] = []
        self._of_base: dict[int, Comparison] = {}

    def compared(self, recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
        """gt and ge of a signal and a constant, and the same the other way round.

        Raises:
            LayoutError: of anything else.
        """
        kind = func.overloadpacket.__name__.rstrip("_")
        left, right = args[:2] if kind in ("gt", "ge") else args[1::-1]  # a parameter turns v >= p into p <= v
        known = recorder.of(left)
        if known is None or recorder.of(right) is not None:
            raise LayoutError
        name = recorder.where or "neurons"
        tidy = with_features(known, 1, name)
        if tidy.lists or any(a.kind == "list" for a in tidy.dims[0]):
            raise LayoutError  # over time at once: no neuron remembers then
        signal: Value = tidy.values[()]
        constant = np.asarray(torch.as_tensor(right).detach().double().numpy())
        base = signal
        if isinstance(signal, Operation) and signal.kind == "affine":
            if (np.asarray(signal.parameters["scale"]) <= 0).any():
                raise LayoutError
            base = signal.inputs[0]
        one = self._of(recorder, name, base)
        step = len(one.signals)
        strict = kind in ("gt", "lt")
        if step and not (np.array_equal(one.constant, constant) and one.strict == strict):
            raise LayoutError
        one.constant, one.strict, one.latest = constant, strict, base
        one.signals.append(signal)
        self._of_base[id(base)] = one
        population = one.population
        population.shape = tidy.features
        population.inputs.append(signal)
        population.spikes.append(out.detach().double().clone())
        population.membranes.append(None)
        return tidy.mapped(lambda _: NeuronValue(population.shape, population, step, "spikes"))

    def _of(self, recorder: Recorder, name: str, base: Value) -> Comparison:
        for value in _inside(base):
            one = self._of_base.get(id(value))
            if one is not None and one.latest is value:
                return one
        taken = {p.name for p in recorder.populations}
        label, number = name, 1
        while label in taken:
            number += 1
            label = f"{name}_{number}"
        one = Comparison(Population(label, nn.Identity(), Neuron(_never, _never)))
        self.found.append(one)
        recorder.populations.append(one.population)
        return one

    def resolve(self) -> None:
        """Reads decay and reset off the last step, and leaves each step's input behind.

        Raises:
            UserError: a membrane that does something else.
        """
        for one in self.found:
            one.settle()
            _resolve(one)


def _never(*_: Any) -> Any:
    raise AssertionError("a population of comparisons is no module")


def _call(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> NeuronCall:
    raise AssertionError("a population of comparisons is no module")


def _inside(value: Value) -> list[Value]:
    """The value and what it is made of within its step, nearest first."""
    found, waiting, seen = [], [value], {id(value)}
    while waiting:
        each = waiting.pop(0)
        found.append(each)
        for v in each.inputs if isinstance(each, Operation) else ():
            if id(v) not in seen:
                seen.add(id(v))
                waiting.append(v)
    return found


def _resolve(one: Comparison) -> None:
    p, last = one.population, len(one.membranes) - 1
    terms = _polynomial(one.membranes[last], one, last) if last else {}
    a, b, c = (np.asarray(terms.get((key, 0), 0.0)) for key in ("v", "sv", "s"))
    kept = {("v", 0): a, ("sv", 0): b, ("s", 0): c}
    threshold = below(one.threshold) if not one.strict else np.asarray(one.threshold, dtype=np.float64)
    blind = _wiped(terms) and _zero(a + b)
    reset = "zero" if blind else _reset(a, b, c, np.asarray(one.threshold, dtype=np.float64))
    if reset is None:
        raise UserError(
            "a comparison whose signal carries on from step to step in a way that no neuron of the chip has",
            where=p.name,
            remedy="reset to zero, v * (1 - spike), or by subtraction, v - spike * threshold; wipe no input with it",
        )

    def nodes(shape: tuple[int, ...]) -> NeuronNodes:
        kind = "zero" if reset == "zero" else "subtract"
        made = NeuronNodes(leaky(shape, beta=a, gain=1.0, threshold=threshold, reset=kind, refractory=int(blind)))
        if reset == "late":
            late_subtraction(made, a, one.threshold, shape, None)
        return made

    p.neuron = Neuron(_call, nodes)
    inputs: list[Value] = []
    known: list[Any] = [np.asarray(1.0)]
    for step in reversed(range(last + 1)):
        membrane = one.membranes[step]
        left = _polynomial(membrane, one, step) if step else _expanded(membrane)
        values = {id(v): v for v in _inside(membrane)}
        if step:
            before = one.membranes[step - 1]
            left = _minus(left, kept, before)
            values |= {id(v): v for v in _inside(before)}
        if blind and _wiped(left, kept[("s", 0)]):
            left = {atom: factor for atom, factor in left.items() if atom[0] in ("value", "one")}
        left = {atom: _snapped(np.asarray(factor), known) for atom, factor in left.items()}
        known += list(left.values())
        inputs.insert(0, _sum(left, values, p))
    p.inputs = inputs


def _snapped(factor: np.ndarray, known: list[Any]) -> np.ndarray:
    """A coefficient as other steps have it, if rounding alone tells them apart."""
    for other in known:
        if np.shape(other) == factor.shape and np.allclose(factor, other, rtol=1e-12, atol=1e-14):
            return np.asarray(other)
    return factor


def _zero(values: Any) -> bool:
    return bool(np.all(np.abs(values) < 1e-12))


def _wiped(terms: Polynomial, spikes: Any = 0.0) -> bool:
    """True if a spike takes away all that comes in a step later, and something does.

    Args:
        spikes: what was taken off the factor of the spikes before.
    """
    added = {atom: factor for atom, factor in terms.items() if atom[0] == "value"}
    gated = {("value", key): factor for (kind, key), factor in terms.items() if kind == "gated value"}
    constant = terms.get(("one", 0), 0.0) + terms.get(("s", 0), 0.0) + spikes
    return (
        bool(added)
        and added.keys() == gated.keys()
        and all(_zero(added[a] + gated[a]) for a in added)
        and _zero(constant)
    )


def _reset(a: Any, b: Any, c: Any, threshold: Any) -> str | None:
    if _zero(a) and _zero(b) and _zero(c):
        return "zero"
    if _zero(c) and _zero(a + b):
        return "zero"
    if _zero(b) and _zero(c + a * threshold):
        return "subtract"
    if _zero(b) and _zero(c + threshold):
        return "late"
    return None


def _polynomial(value: Value, one: Comparison, step: int) -> Polynomial:
    before = one.membranes[step - 1]
    if value is before:
        return {("v", 0): 1.0}
    if isinstance(value, NeuronValue) and value.population is one.population and value.step == step - 1:
        return {("s", 0): 1.0}
    if isinstance(value, Operation) and value.kind == "add":
        total: Polynomial = {}
        for v in value.inputs:
            for atom, factor in _polynomial(v, one, step).items():
                total[atom] = total.get(atom, 0.0) + factor
        return total
    if isinstance(value, Operation) and value.kind == "affine":
        scaled = {
            atom: factor * value.parameters["scale"] for atom, factor in _polynomial(value.inputs[0], one, step).items()
        }
        if np.any(value.parameters["shift"]):
            scaled[("one", 0)] = scaled.get(("one", 0), 0.0) + value.parameters["shift"]
        return scaled
    if isinstance(value, Operation) and value.kind in ("product", "both"):
        x, y = (_polynomial(v, one, step) for v in value.inputs)
        return _product(x, y, value)
    return {("value", id(value)): 1.0}


def _product(x: Polynomial, y: Polynomial, value: Operation) -> Polynomial:
    """Of a signal and (constant + factor * own spikes)."""
    gates = {("one", 0), ("s", 0)}
    if not set(x) <= gates:
        x, y = y, x
    if not set(x) <= gates:
        return {("value", id(value)): 1.0}
    one, spikes = x.get(("one", 0), 0.0), x.get(("s", 0), 0.0)
    total = {atom: factor * one for atom, factor in y.items()}
    for atom, factor in y.items():
        gated = {("v", 0): ("sv", 0), ("one", 0): ("s", 0), ("s", 0): ("s", 0), ("sv", 0): ("sv", 0)}.get(atom)
        if gated is None:  # an input that a spike wipes
            gated = ("gated " + atom[0], atom[1])
        total[gated] = total.get(gated, 0.0) + factor * spikes
    return total


def _minus(left: Polynomial, kept: Polynomial, before: Value) -> Polynomial:
    """Without the membrane's own terms; where the step before's membrane came in as what it was made of, of that."""
    rest = dict(left)
    for key, gate in (("v", False), ("sv", True)):
        missing = kept[(key, 0)] - rest.pop((key, 0), 0.0)
        if np.any(np.abs(missing) > 1e-12):
            for (kind, name), factor in _expanded(before).items():
                atom = (kind, name)
                if gate:
                    atom = ("s", 0) if kind == "one" else ("gated value", name)
                rest[atom] = rest.get(atom, 0.0) - missing * factor
    rest[("s", 0)] = rest.get(("s", 0), 0.0) - kept[("s", 0)]
    return {atom: factor for atom, factor in rest.items() if np.any(np.abs(factor) > 1e-12)}


def _expanded(value: Value) -> Polynomial:
    """A membrane of the first step as what it is made of."""
    if isinstance(value, Operation) and value.kind == "affine":
        scale, shift = value.parameters["scale"], value.parameters["shift"]
        found = {atom: factor * scale for atom, factor in _expanded(value.inputs[0]).items()}
        return {**found, ("one", 0): found.get(("one", 0), 0.0) + shift} if np.any(shift) else found
    if isinstance(value, Operation) and value.kind == "add":
        total: Polynomial = {}
        for v in value.inputs:
            for atom, factor in _expanded(v).items():
                total[atom] = total.get(atom, 0.0) + factor
        return total
    return {("value", id(value)): 1.0}


def _sum(terms: Polynomial, values: dict[int, Value], p: Population) -> Value:
    parts: list[Value] = []
    shift = np.asarray(0.0)
    for (kind, key), factor in terms.items():
        if kind == "one":
            shift = np.asarray(factor)
        elif kind == "value":
            parts.append(affine(p.name, values[key], np.asarray(factor), np.asarray(0.0)))
        else:
            raise UserError(
                "a spike wipes the input of a step; the chip's reset keeps it",
                where=p.name,
                remedy="reset the membrane before the input comes in",
            )
    if not parts:
        raise UserError("neurons without input", where=p.name, remedy="check the network's forward")
    value = parts[0] if len(parts) == 1 else Operation(p.shape, "add", p.name, tuple(parts))
    return affine(p.name, value, np.asarray(1.0), shift)
