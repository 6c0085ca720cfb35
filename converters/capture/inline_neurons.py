"""Neurons written out in a forward: `mem = decay * mem * (1 - spike) + x; spike = (mem > threshold).float()`.

A comparison of a signal with a constant is taken for the spikes of a population, its left side for the membrane. What
a step does to the membrane of the step before is read off the expression, as coefficients of

    v[t] = a v[t-1] + b s[t-1] v[t-1] + c s[t-1] + input

and these decide decay and reset: b = -a to zero, and with it c = a r to r; c = -a threshold by subtraction,
c = -threshold a step late. Where a spike wipes the input of the step after it as well, (1 - s[t-1]) * (a v[t-1] +
input), that step is refractory. A neuron may look at its membrane before it charges it, as SpyTorch's do: nothing of
the first steps' data has reached it then, its comparisons are fewer, and its input is that of steps before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

from .arithmetic import affine, same_for_all_samples
from .coded_input import leaves
from .fold import Signatures
from .layout import LayoutError, Tracked, with_features
from .masks import spikes_compared
from .membrane_terms import Polynomial, expanded, inside, polynomial, without
from .neuron_nodes import below, late_subtraction, leaky
from .population import Neuron, NeuronCall, NeuronNodes, Population
from .values import NeuronValue, Operation, Still, Value

if TYPE_CHECKING:
    from .recorder import Recorder


@dataclass
class Comparison:
    """A population of comparisons, an entry a step.

    Attributes:
        given: what each comparison gave.
        latest: what was compared last, without scale and shift.
    """

    population: Population
    signals: list[Value] = field(default_factory=list)
    given: list[NeuronValue] = field(default_factory=list)
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

    def asked(self, constant: np.ndarray, signal: Value) -> bool:
        """True if it was asked last whether the same membrane passes the same number."""
        ours, theirs = _limit(self.constant, self.signals[-1]), _limit(constant, signal)
        return bool(np.allclose(ours, theirs, rtol=1e-12, atol=0))

    def asks(self, constant: np.ndarray, strict: bool) -> bool:
        """True if it is a comparison with this number."""
        return self.strict == strict and np.array_equal(self.constant, constant)


class InlineNeurons:
    """The comparisons of a run."""

    def __init__(self) -> None:
        self.found: list[Comparison] = []
        self._of_base: dict[int, list[Comparison]] = {}
        self._signatures = Signatures()

    def compared(self, recorder: Recorder, func: Any, args: Any, kwargs: Any, out: torch.Tensor) -> Tracked:
        """gt and ge of a signal and a constant, the same the other way round, and heaviside.

        Raises:
            LayoutError: of anything else.
        """
        kind = func.overloadpacket.__name__.rstrip("_")
        left, right = args[:2] if kind in ("gt", "ge", "heaviside") else args[1::-1]  # v >= p may come as p <= v
        known = recorder.of(left)
        if known is None or recorder.of(right) is not None:
            raise LayoutError
        strict = kind in ("gt", "lt")
        if kind == "heaviside":
            at_zero = torch.as_tensor(right)
            if at_zero.numel() != 1 or float(at_zero) not in (0.0, 1.0):
                raise LayoutError
            strict, right = float(at_zero) == 0.0, 0.0
        constant = same_for_all_samples(known, torch.as_tensor(right).detach().double())
        unchanged = spikes_compared(known, constant, strict)
        if unchanged is not None:
            return unchanged
        name = recorder.where or "neurons"
        tidy = with_features(known, 1, name)
        if tidy.lists or any(a.kind == "list" for a in tidy.dims[0]):
            raise LayoutError  # over time at once: no neuron remembers then
        signal: Value = tidy.values[()]
        base = signal
        if isinstance(signal, Operation) and signal.kind == "affine":
            if (np.asarray(signal.parameters["scale"]) <= 0).any():
                raise LayoutError
            base = signal.inputs[0]
        for known_one in self._of_base.get(id(base), ()):
            if known_one.latest is base and known_one.strict == strict and known_one.asked(constant, signal):
                return _everywhere(tidy, known_one.given[-1])  # asked once more, for the reset or the slope
        one = self._of(recorder, name, base, constant, strict)
        population = one.population
        step = len(one.signals)
        spikes = NeuronValue(tidy.features, population, step, "spikes")
        one.constant, one.strict, one.latest = constant, strict, base
        one.signals.append(signal)
        one.given.append(spikes)
        self._of_base.setdefault(id(base), []).append(one)
        population.shape = tidy.features
        population.inputs.append(signal)
        population.spikes.append(out.detach().double().clone())
        population.membranes.append(None)
        return _everywhere(tidy, spikes)

    def _of(self, recorder: Recorder, name: str, base: Value, constant: np.ndarray, strict: bool) -> Comparison:
        """The population that a comparison belongs to: the one whose last membrane is part of this one."""
        for value in inside(base):
            for one in self._of_base.get(id(value), ()):
                if one.latest is value and one.asks(constant, strict):
                    return one
        for one in self.found:  # without a memory, the same of another step
            if one.latest is not base and one.asks(constant, strict) and self._another_step(one, name, base):
                return one
        taken = {p.name for p in recorder.populations}
        label, number = name, 1
        while label in taken:
            number += 1
            label = f"{name}_{number}"
        one = Comparison(Population(label, nn.Identity(), Neuron(_call, _never), written=True))
        self.found.append(one)
        recorder.populations.append(one.population)
        return one

    def _another_step(self, one: Comparison, name: str, base: Value) -> bool:
        last, now = _step(one.latest), _step(base)
        if last is None or now is None or last >= now or one.population.shape != base.shape:
            return False
        if not one.population.name.startswith(name):
            return False
        assert one.latest is not None
        return self._signatures(one.latest, last) == self._signatures(base, now)

    def drop_unused(self, populations: list[Population], results: list[Value]) -> None:
        """Leaves out comparisons that nothing comes of: what a person counts, or how data are coded."""
        needed: dict[int, Population] = {id(p): p for p in populations if not p.written}
        waiting = [*results, *(v for p in needed.values() for v in p.inputs)]
        while waiting:
            found = {id(v.population): v.population for v in leaves(waiting) if isinstance(v, NeuronValue)}
            fresh = [p for key, p in found.items() if key not in needed]
            needed |= found
            waiting = [v for p in fresh for v in p.inputs]
        self.found = [one for one in self.found if id(one.population) in needed]
        populations[:] = [p for p in populations if id(p) in needed]

    def resolve(self, steps: int) -> None:
        """Reads decay and reset off the last step, and leaves each step's input behind.

        Args:
            steps: of the run. A population with fewer comparisons had a membrane that no data had reached before.

        Raises:
            UserError: a membrane that does something else.
        """
        for one in self.found:
            late = max(steps - len(one.signals), 0)
            one.settle()
            _resolve(one)
            p = one.population
            for given in one.given:
                given.step += late
            p.inputs = [Still(p.shape)] * late + p.inputs
            p.spikes = [torch.zeros_like(p.spikes[0])] * late + p.spikes
            p.membranes = [*[None] * late, *p.membranes]
            p.late = late


def _everywhere(like: Tracked, value: Value) -> Tracked:
    return like.mapped(lambda _: value)


def _never(*_: Any) -> Any:
    raise AssertionError("a population of comparisons is no module")


def _call(_args: tuple[Any, ...], _kwargs: dict[str, Any]) -> NeuronCall:
    raise AssertionError("a population of comparisons is no module")


def _limit(constant: np.ndarray, signal: Value) -> Any:
    """The number that a signal passes, in units of what is scaled and shifted in it."""
    if not isinstance(signal, Operation) or signal.kind != "affine":
        return constant
    return (constant - signal.parameters["shift"]) / signal.parameters["scale"]


def _step(value: Value | None) -> int | None:
    """The latest step that a value is made of."""
    if value is None:
        return None
    found = [v.step for v in inside(value) if hasattr(v, "step") and v.step is not None]
    return max(found) if found else None


def _resolve(one: Comparison) -> None:
    p, last = one.population, len(one.membranes) - 1
    terms = polynomial(one.membranes[last], one.membranes[last - 1], one.given[last - 1]) if last else {}
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
    inputs: list[Value] = []
    known: list[Any] = [np.asarray(1.0)]
    for step in reversed(range(last + 1)):
        membrane = one.membranes[step]
        values = {id(v): v for v in inside(membrane)}
        if step:
            before, own = one.membranes[step - 1], one.given[step - 1]
            left = polynomial(membrane, before, own)
            if any(not _zero(left.get(key, 0.0) - kept[key]) for key in (("v", 0), ("sv", 0))):
                left = polynomial(membrane, before, own, whole=True)
                values |= {id(v): v for v in inside(before)}
            left = without(left, kept, before)
        else:
            left = expanded(membrane)
        if blind and _wiped(left, kept[("s", 0)]):
            left = {atom: factor for atom, factor in left.items() if atom[0] in ("value", "one")}
        left = {atom: _snapped(np.asarray(factor), known) for atom, factor in left.items()}
        known += list(left.values())
        inputs.insert(0, _sum(left, values, p))
    p.inputs, p.decay = inputs, a
    _give_nodes(one, a, c, threshold, reset, blind)


def _give_nodes(one: Comparison, a: Any, c: Any, threshold: Any, reset: str, blind: bool) -> None:
    """The population's neuron; a synaptic current that is found later (`filters`) becomes part of it."""
    p = one.population
    v_reset = c / a if reset == "zero" and not blind and not _zero(c) else 0.0

    def nodes(shape: tuple[int, ...]) -> NeuronNodes:
        alpha = p.synapse
        made = NeuronNodes(
            leaky(
                shape,
                beta=a,
                gain=1.0,
                rest=p.offset / (1 - a) if np.any(p.offset) else 0.0,
                threshold=threshold,
                reset="zero" if reset == "zero" else "subtract",
                v_reset=v_reset,
                start=0.0 if p.start is None and np.any(v_reset) else p.start,
                synapse=None if alpha is None else (alpha, 1.0),
                refractory=int(blind),
            )
        )
        if reset == "late":
            late_subtraction(made, a, one.threshold, shape, alpha)
        return made

    p.neuron = Neuron(_call, nodes)


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
    if _zero(a + b) and (_zero(c) or not _zero(a)):
        return "zero"
    if _zero(b) and _zero(c + a * threshold):
        return "subtract"
    if _zero(b) and _zero(c + threshold):
        return "late"
    return None


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
