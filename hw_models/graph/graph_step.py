"""One step of a flat graph: every node once, in order of data flow; loops hand over what they held a step before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .flat_graph import FlatGraph

V = TypeVar("V", bound=Any)  # whatever can be added: tensors, or values of a graph under construction


class GraphStep:
    """The order of a graph's nodes, worked out once, and the values that wait on the edges that close loops.

    Args:
        before: source of such an edge -> what it passes in the first step.

    Attributes:
        waiting: source of such an edge -> what it passes in the next step.
    """

    def __init__(self, flat: FlatGraph, before: Callable[[str], V]):
        self.order = flat.order()
        self._predecessors = {name: flat.predecessors(name) for name in self.order}
        self._back_edges = flat.back_edges
        self.waiting = {source: before(source) for source in sorted({source for source, _ in flat.back_edges})}

    def __call__(self, inputs: dict[str, V], compute: Callable[[str, V], V]) -> dict[str, V]:
        """Value of every node [N, *shape] at this step.

        Args:
            inputs: value of each input node, [N, *shape].
            compute: (node, sum of what arrives there) -> its value.
        """
        value: dict[str, V] = {}
        for name in self.order:
            if name in inputs:
                value[name] = inputs[name]
                continue
            arriving = [
                self.waiting[a] if (a, name) in self._back_edges else value[a] for a in self._predecessors[name]
            ]
            value[name] = compute(name, sum(arriving[1:], arriving[0]))
        self.waiting = {source: value[source] for source in self.waiting}
        return value
