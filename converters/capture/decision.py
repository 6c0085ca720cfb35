"""What a network returns, as a rule: which layer, its spikes or membrane, and what happens to them over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from dalif_deploy.hw_models.chip_network import form
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.decision_rule import BEFORE_RESET, CURRENT, MEMBRANE, SPIKES, DecisionRule

from .filters import MOST_TAPS
from .fold import Signatures
from .layout import Tracked
from .membrane_terms import inside
from .population import Population
from .values import InputValue, NeuronValue, Operation, OverTime, Ranked, Still, Untold, Value
from .written_readout import readout_of

LINEAR_KINDS = ("linear", "conv", "affine", "avg_pool", "reshape", "permute", "matrix", "cat")


@dataclass(frozen=True)
class Decision:
    """The rule by which a network's result is read.

    Attributes:
        base: what arrives at the graph's output, as step `step` says it.
        over_time: "sum", "mean", "last", "max", or "steps" where the network returns every step and leaves it open.
        what: "spikes", "membrane" (of neurons), "membrane_before_reset" (where the framework shows that one), or
            "current" (of a layer without neurons behind it).
        seen_through: a function of it that the network returns and that keeps its order, such as a softmax; or None.
    """

    base: Value
    step: int
    over_time: str
    what: str
    seen_through: str | None = None

    @property
    def reads_membrane(self) -> bool:
        """True if neurons' membranes are the result, spikes and currents aside."""
        return self.what in (MEMBRANE, BEFORE_RESET)

    def rule(self, of: str) -> DecisionRule:
        """As it travels with the graph, in which the layer is called `of`."""
        over_time = self.over_time
        if over_time == "steps":
            over_time = "sum" if self.what in (SPIKES, CURRENT) else "last"
        return DecisionRule(of, self.what, cast(form.OverTime, over_time))


def decide(results: list[Tracked], steps: int, signatures: Signatures, populations: list[Population]) -> Decision:
    """The rule that the returned tensor (one for each call of the module) stands for.

    A state that the forward adds up without a threshold becomes one more of the `populations`.

    Raises:
        UserError: the result depends on the steps in another way.
    """
    values = [value for t in results for value in t.all()]
    for value in values:
        if isinstance(value, Untold):
            raise UserError(value.what, where=value.name, remedy=value.remedy)
    seen_through = None
    while all(isinstance(value, Ranked) for value in values):
        seen_through = seen_through or cast(Ranked, values[0]).how
        values = [cast(Ranked, value).of for value in values]
    if len(values) == 1 and steps > 1:
        how, terms = _over_time(values[0], signatures)
    else:
        how, terms = "steps", values
    terms = _as_long_as(terms, steps, populations) if how != "last" else terms
    if how != "last" and len(terms) != steps:
        raise UserError(
            f"the result takes {len(terms)} of {steps} steps",
            remedy="return the sum, mean, maximum or last of all steps, or every step",
        )
    last = steps - 1
    states = terms if how != "last" else [*[Still(terms[-1].shape)] * last, terms[-1]]
    read = readout_of(states, signatures, populations)
    if read is not None:
        return Decision(read, last, how, _what(read), seen_through)
    if how == "last" and len({v.step for v in inside(terms[-1]) if isinstance(v, NeuronValue)}) > MOST_TAPS:
        raise UserError(
            "the result is of all steps before, as no neuron of the chip has it: more than two leaky sums in a row, or "
            "another function over time",
            remedy="return the spikes or membranes of a layer, or a leaky sum of them",
        )
    terms = [_membrane_in(term) for term in terms]
    base = terms[-1]
    first = signatures(base, last)
    for step, term in enumerate(terms[:-1]):
        if step and not isinstance(term, Still) and signatures(term, step) != first:
            raise UserError(f"the result is computed differently at step {step}", remedy="treat every step alike")
    return Decision(base, last, how, _what(base), seen_through)


def _membrane_in(value: Value) -> Value:
    """The membrane that was scaled by a positive number: a chip shows it in its own units, in the same order."""
    if not isinstance(value, Operation) or value.kind != "affine":
        return value
    (inner,), scale = value.inputs, np.asarray(value.parameters["scale"])
    scaled = scale.size == 1 and float(scale.ravel()[0]) > 0 and not np.any(value.parameters["shift"])
    return inner if scaled and isinstance(inner, NeuronValue) and inner.what == MEMBRANE else value


def _as_long_as(terms: list[Value], steps: int, populations: list[Population]) -> list[Value]:
    """The terms, one a step: without what a record starts with, and with what data had not reached yet."""
    while len(terms) > steps and isinstance(terms[0], Still):
        terms = terms[1:]
    late = max((p.late for p in populations), default=0)
    missing = steps - len(terms)
    if 0 < missing <= late + 2 and not isinstance(terms[0], Still):
        terms = [Still(terms[-1].shape)] * missing + terms
    return terms


def _what(base: Value) -> str:
    if isinstance(base, NeuronValue):
        if base.what not in (SPIKES, MEMBRANE):
            raise UserError(
                f"the result is the state {base.what!r} of this neuron",
                where=base.population.name,
                remedy="return its spikes or its membrane",
            )
        return BEFORE_RESET if base.what == MEMBRANE and base.population.shows_before_reset else base.what
    if isinstance(base, Operation) and base.kind in ("max_pool", "both"):
        return SPIKES
    if isinstance(base, Operation) and base.kind == "reshape":
        return _what(base.inputs[0])
    return CURRENT


def _over_time(value: Value, signatures: Signatures) -> tuple[str, list[Value]]:
    """(what happens over time, the values of the steps)."""
    if isinstance(value, OverTime):
        if all(isinstance(v, OverTime) for v in value.values):
            raise UserError("a result over time of results over time", remedy="take one of them")
        if any(isinstance(v, Ranked) for v in value.values):
            raise UserError(
                "a softmax, or another such function, of each step, and then a result over time of these",
                remedy="sum over time first, and take the function of the sum",
            )
        return value.how, list(value.values)
    if isinstance(value, Operation) and value.kind == "add":
        terms = _terms(value)
        parts = [t for t in terms if not isinstance(t, OverTime)]
        if any(isinstance(t, Ranked) for t in terms):
            raise UserError(
                "a sum over functions, such as a softmax, of each step",
                remedy="sum over time first, and take the function of the sum",
            )
        each_its_own = len({_step_of(t) for t in terms}) == len(terms) > 1
        if len(parts) == len(terms) and each_its_own and not any(_is_a_state(t) for t in terms):
            return "sum", sorted(terms, key=_step_of)
    if isinstance(value, Operation) and len(value.inputs) == 1 and value.kind in LINEAR_KINDS:
        how, terms = _over_time(value.inputs[0], signatures)
        if how == "last":
            return "last", [value]
        p = value.parameters
        if (
            value.kind == "affine"
            and not np.any(p["shift"])
            and np.size(p["scale"]) == 1
            and float(np.ravel(p["scale"])[0]) > 0
        ):
            total = float(np.ravel(p["scale"])[0]) * len(terms)
            return ("mean" if how == "sum" and abs(total - 1) < 1e-6 else how), terms
        if how == "max":
            raise UserError("a layer behind the maximum over time", where=value.name, remedy="take the maximum last")
        return how, [_pushed(value, term, len(terms) if how == "sum" else 1) for term in terms]
    return "last", [value]


def _pushed(op: Operation, term: Value, share: int) -> Value:
    """A linear layer behind a sum over time is the sum of that layer's outputs; its bias counts once."""
    parameters = dict(op.parameters)
    for key in ("bias", "shift"):
        if parameters.get(key) is not None and share > 1:
            parameters[key] = parameters[key] / share
    return Operation(op.shape, op.kind, op.name, (term,), parameters)


def _terms(value: Value) -> list[Value]:
    if isinstance(value, Operation) and value.kind == "add":
        return [t for v in value.inputs for t in _terms(v)]
    return [value]


def _is_a_state(value: Value) -> bool:
    """True if it is made of more than a few steps: a leaky sum is no sum of steps."""
    return len({v.step for v in inside(value) if isinstance(v, NeuronValue | InputValue)}) > 3


def _step_of(value: Value) -> int:
    steps = [v.step for v in inside(value) if isinstance(v, NeuronValue | InputValue) and v.step is not None]
    return max(steps, default=-1)
