"""How a network's author reads its result: which layer, its spikes or membrane, and what happens to them over time.

A captured module's graph carries the rule in its metadata (`decision_of`, `decision_what`, `decision_over_time`).
Engines give their outputs by it, and the compiler writes it into the chip's output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..chip_network.form import OverTime
from ..errors import UserError
from ..neurons import neuron_dynamics
from .flat_graph import FlatGraph

SPIKES, MEMBRANE, BEFORE_RESET, CURRENT = "spikes", "membrane", "membrane_before_reset", "current"
WHAT = (SPIKES, MEMBRANE, BEFORE_RESET, CURRENT)
OVER_TIME = ("sum", "mean", "max", "last")


@dataclass(frozen=True)
class DecisionRule:
    """The rule.

    Attributes:
        of: the layer; the neuron node where a membrane is read.
        what: "spikes", "membrane" (after the reset), "membrane_before_reset" or "current" (of a layer without neurons).
        over_time: "sum", "mean", "max" or "last".
    """

    of: str
    what: str
    over_time: OverTime

    @property
    def reads_membrane(self) -> bool:
        """True if `of` is a neuron node, and its membrane is read."""
        return self.what in (MEMBRANE, BEFORE_RESET)

    def metadata(self) -> dict[str, str]:
        """As it travels with a graph."""
        return {"decision_of": self.of, "decision_what": self.what, "decision_over_time": self.over_time}

    def over(self, steps: np.ndarray) -> np.ndarray:
        """[N, *shape] of what is read at each step, [N, T, *shape]."""
        if self.over_time == "last":
            return np.array(steps[:, -1])
        if self.over_time == "max":
            return np.asarray(steps.max(axis=1))
        return np.asarray(steps.sum(axis=1) if self.over_time == "sum" else steps.mean(axis=1))


def decision_rule(flat: FlatGraph) -> DecisionRule | None:
    """The rule in a graph's metadata; None where there is none.

    Raises:
        UserError: half a rule, an unknown word, a node that is not there.
    """
    keys = ("decision_of", "decision_what", "decision_over_time")
    of, what, over_time = (_text(flat.metadata.get(key)) for key in keys)
    if of is None and what is None and over_time is None:
        return None
    faulty = of is None or what not in WHAT or over_time not in OVER_TIME or len(flat.outputs) != 1
    rule = DecisionRule(of or "", what or "", cast(OverTime, over_time))
    if faulty or (rule.reads_membrane and not (rule.of in flat.nodes and flat.is_neuron(rule.of))):
        raise UserError(
            f"the decision rule ({what} of {of}, {over_time} over time) does not fit the graph",
            remedy="export the network again, or repair decision_of, decision_what and decision_over_time",
        )
    return rule


class DecisionReader:
    """Reads a graph's outputs off what a float engine recorded.

    Attributes:
        rule: None where the graph has none; then the mean over time of what arrives at each output is given.
        needs: kinds of records that the rule takes beside the outputs, of "spikes", "membrane" and "current".
    """

    def __init__(self, flat: FlatGraph, dt: float):
        self.rule = rule = decision_rule(flat)
        self.needs: tuple[str, ...] = ()
        if rule is None or not rule.reads_membrane:
            return
        self.needs = ("membrane",)
        if rule.what == BEFORE_RESET:
            self._dynamics = neuron_dynamics(rule.of, flat.nodes[rule.of], dt)
            self.needs = ("spikes", "membrane") + (() if self._dynamics.reset == "subtract" else ("current",))

    def __call__(
        self,
        outputs: Mapping[str, np.ndarray],
        spikes: Mapping[str, np.ndarray],
        membrane: Mapping[str, np.ndarray],
        current: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """Each output's values, [N, *shape].

        Args:
            outputs: output -> [N, T, *shape], what arrives there at each step.
            spikes, membrane, current: node -> [N, T, *shape], where `needs` asks for them.
        """
        rule = self.rule
        if rule is None:
            return {name: each.mean(axis=1) for name, each in outputs.items()}
        (name,) = outputs
        if not rule.reads_membrane:
            return {name: rule.over(outputs[name])}
        read = membrane[rule.of]
        if rule.what == BEFORE_RESET:
            d, fired = self._dynamics, spikes[rule.of]
            if d.reset == "subtract":
                read = read + fired * d.threshold
            else:
                assert current is not None
                start = np.broadcast_to(d.start, read[:, :1].shape)
                last = np.concatenate([start, read[:, :-1]], axis=1)
                read = np.where(fired > 0, d.beta * last + current[rule.of] + d.offset, read)
        return {name: rule.over(read)}


def _text(value: Any) -> str | None:
    return value.decode("utf8") if isinstance(value, bytes) else None if value is None else str(value)
