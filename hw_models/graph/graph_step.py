"""One step of a flat graph: every node once, in order of data flow; loops hand over what they held a step before."""

from __future__ import annotations

from collections.abc import Callable

import torch

from hw_models.graph.flat_graph import FlatGraph


class GraphStep:
    """The order of a graph's nodes, worked out once, and the values that wait on the edges that close loops."""

    def __init__(self, flat: FlatGraph, samples: int, dtype: torch.dtype):
        self.order = flat.order()
        self._predecessors = {name: flat.predecessors(name) for name in self.order}
        self._before = {edge: torch.zeros(samples, *flat.shapes[edge[0]], dtype=dtype) for edge in flat.back_edges}

    def __call__(
        self, inputs: dict[str, torch.Tensor], compute: Callable[[str, torch.Tensor], torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Value of every node [N, *shape] at this step.

        Args:
            inputs: value of each input node, [N, *shape].
            compute: (node, sum of what arrives there) -> its value.
        """
        value: dict[str, torch.Tensor] = {}
        for name in self.order:
            if name in inputs:
                value[name] = inputs[name]
                continue
            arriving = [
                self._before[(a, name)] if (a, name) in self._before else value[a] for a in self._predecessors[name]
            ]
            value[name] = compute(name, sum(arriving[1:], arriving[0]))
        self._before = {edge: value[edge[0]] for edge in self._before}
        return value
