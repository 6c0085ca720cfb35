"""A membrane written out in a forward, as a sum over what it was and what the neuron sent a step before.

v[t] = a v[t-1] + b s[t-1] v[t-1] + c s[t-1] + input
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from .values import NeuronValue, Operation, Value

Atom = tuple[str, int]  # ("v", 0), ("s", 0), ("sv", 0), ("one", 0), ("value", id), and ("gated value", id): times s
Polynomial = dict[Atom, Any]


def polynomial(value: Value, before: Value, own: Value | None, *, whole: bool = False) -> Polynomial:
    """`value` in these terms, where `before` is the membrane of the step before and `own` what it sent.

    Args:
        whole: takes apart what has to do with neither, too.
    """
    touching = None if whole else _leading_to(value, before, own)
    return _terms(value, before, own, touching)


def _terms(value: Value, before: Value, own: Value | None, touching: set[int] | None) -> Polynomial:
    if value is before:
        return {("v", 0): 1.0}
    if own is not None and same_spikes(value, own):
        return {("s", 0): 1.0}
    if not isinstance(value, Operation) or (touching is not None and id(value) not in touching):
        return {("value", id(value)): 1.0}
    if value.kind == "add":
        total: Polynomial = {}
        for v in value.inputs:
            for atom, factor in _terms(v, before, own, touching).items():
                total[atom] = total.get(atom, 0.0) + factor
        return total
    if value.kind == "affine":
        inner = _terms(value.inputs[0], before, own, touching)
        scaled = {atom: factor * value.parameters["scale"] for atom, factor in inner.items()}
        if np.any(value.parameters["shift"]):
            scaled[("one", 0)] = scaled.get(("one", 0), 0.0) + value.parameters["shift"]
        return scaled
    if value.kind in ("product", "both"):
        x, y = (_terms(v, before, own, touching) for v in value.inputs)
        return _product(x, y, value)
    return {("value", id(value)): 1.0}


def _leading_to(value: Value, before: Value, own: Value | None) -> set[int]:
    """Operations within `value` that the membrane or the spikes of the step before are in."""
    found: set[int] = set()
    done: set[int] = set()
    waiting: list[tuple[Value, bool]] = [(value, False)]
    while waiting:
        each, back = waiting.pop()
        if not isinstance(each, Operation) or each is before:
            continue
        if back:
            if any(v is before or id(v) in found or (own is not None and same_spikes(v, own)) for v in each.inputs):
                found.add(id(each))
        elif id(each) not in done:
            done.add(id(each))
            waiting.append((each, True))
            waiting += [(v, False) for v in each.inputs]
    return found


def same_spikes(value: Value, other: Value) -> bool:
    """True if both are what one population gave out at one step."""
    return (
        isinstance(value, NeuronValue)
        and isinstance(other, NeuronValue)
        and value.population is other.population
        and value.step == other.step
    )


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
            gated = ("gated value", atom[1])
        total[gated] = total.get(gated, 0.0) + factor * spikes
    return total


def without(left: Polynomial, kept: Polynomial, before: Value) -> Polynomial:
    """Without the membrane's own terms; where the step before's membrane came in as what it was made of, of that."""
    rest = dict(left)
    for key, gate in (("v", False), ("sv", True)):
        missing = kept[(key, 0)] - rest.pop((key, 0), 0.0)
        if np.any(np.abs(missing) > 1e-12):
            for (kind, name), factor in expanded(before).items():
                atom = (kind, name)
                if gate:
                    atom = ("s", 0) if kind == "one" else ("gated value", name)
                rest[atom] = rest.get(atom, 0.0) - missing * factor
    rest[("s", 0)] = rest.get(("s", 0), 0.0) - kept[("s", 0)]
    return {atom: factor for atom, factor in rest.items() if np.any(np.abs(factor) > 1e-12)}


def expanded(value: Value) -> Polynomial:
    """A membrane of the first step as what it is made of."""
    if isinstance(value, Operation) and value.kind == "affine":
        scale, shift = value.parameters["scale"], value.parameters["shift"]
        found = {atom: factor * scale for atom, factor in expanded(value.inputs[0]).items()}
        return {**found, ("one", 0): found.get(("one", 0), 0.0) + shift} if np.any(shift) else found
    if isinstance(value, Operation) and value.kind == "add":
        total: Polynomial = {}
        for v in value.inputs:
            for atom, factor in expanded(v).items():
                total[atom] = total.get(atom, 0.0) + factor
        return total
    return {("value", id(value)): 1.0}


def inside(value: Value) -> Iterator[Value]:
    """The value and what it is made of within its step, nearest first."""
    waiting, seen = deque([value]), {id(value)}
    while waiting:
        each = waiting.popleft()
        yield each
        for v in each.inputs if isinstance(each, Operation) else ():
            if id(v) not in seen:
                seen.add(id(v))
                waiting.append(v)
