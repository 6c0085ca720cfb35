"""Expressions of one step as NIR nodes and edges."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import networkx as nx
import nir
import numpy as np

from dalif_deploy.hw_models.errors import UserError

from .apply import constant_part, matrix_of
from .coded_input import Part
from .fold import Signatures
from .operation_nodes import operation_nodes
from .population import NeuronNodes, Population
from .simplify import simplified
from .values import InputValue, NeuronValue, Operation, Untold, Value

LARGEST = 1 << 26  # entries of a matrix that an operation without a node is written out to


class GraphBuilder:
    """Nodes and edges as expressions come in.

    A value that NIR's nodes can't bring into shape (an upsampled image) is kept flat: [n] in C order, and what follows
    on it are matrices.

    Attributes:
        nodes, edges: of the graph.
        node_of: population -> its neuron's node.
    """

    def __init__(
        self, input_shape: tuple[int, ...], signatures: Signatures, dt: float, populations: list[Population],
        parts: list[Part] | None = None,
    ):  # fmt: skip
        self.nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array(input_shape)})}
        self.edges: list[tuple[str, str]] = []
        self.node_of: dict[int, str] = {}
        self._signatures, self._dt = signatures, dt
        self._built: dict[int, tuple[list[str], bool]] = {}
        self._flat: dict[int, bool] = {}
        self._delays: dict[tuple[str, int], str] = {}
        self._parts, self._part_nodes = parts or [], {}  # type: list[Part], dict[int, str]
        self._now = nx.DiGraph()  # populations by what reaches them within a step
        for p in populations:
            self.node_of[id(p)] = self.unique(p.name)
            self.nodes[self.node_of[id(p)]] = nir.Threshold(np.array(0.0))  # its place; `population` fills it

    def unique(self, name: str) -> str:
        """A name that no node has yet."""
        label, number = name or "layer", 1
        while label in self.nodes or label == "output":
            number += 1
            label = f"{name}_{number}"
        return label

    def add(self, name: str, node: nir.NIRNode, sources: list[str]) -> str:
        """A node behind the sum of `sources`; its final name."""
        name = self.unique(name)
        self.nodes[name] = node
        self.connect(sources, name)
        return name

    def connect(self, sources: list[str], target: str) -> None:
        """Edges; what arrives several times goes through a factor."""
        for source, times in Counter(sources).items():
            if times > 1 or (source, target) in self.edges:
                self.edges.append((self._factor(source, float(times)), target))
            else:
                self.edges.append((source, target))

    def _factor(self, source: str, factor: float) -> str:
        name = self.unique(f"{source}.times")
        self.nodes[name] = nir.Scale(np.array(factor))
        self.edges.append((source, name))
        return name

    def order(self, populations: list[Population], last: int) -> None:
        """Notes which population reaches which within a step, to tell loops from delays."""
        for p in populations:
            self._now.add_node(id(p))
            for value in _neurons_in(p.inputs[last]):
                if value.step == last:
                    self._now.add_edge(id(value.population), id(p))

    def population(self, p: Population, nodes: NeuronNodes, last: int) -> None:
        """The neurons of `p` and what leads to them."""
        name = self.node_of[id(p)]
        sources, flat = self.value(simplified(p.inputs[last], self._signatures, last), last, p)
        self._flat[id(p)] = flat and len(p.shape) > 1
        labels = {"": name}
        self.nodes[name] = _flattened(nodes.neuron) if self._flat[id(p)] else nodes.neuron
        for end, node in nodes.around.items():
            labels[end] = self.unique(f"{name}.{end}")
            self.nodes[labels[end]] = _flattened(node) if self._flat[id(p)] else node
        self.edges += [(labels[a], labels[b]) for a, b in nodes.edges]
        self.connect(sources, labels[nodes.entry])

    def value(self, value: Value, step: int, target: Population | None) -> tuple[list[str], bool]:
        """(nodes whose sum is `value` as seen from `step`, whether it is flat)."""
        if isinstance(value, Untold):
            raise UserError(value.what, where=value.name, remedy=value.remedy)
        if isinstance(value, InputValue):
            return self._from_data(value, step)
        if isinstance(value, NeuronValue):
            return [self._from_neuron(value, step, target)], self._flat.get(id(value.population), False)
        if not isinstance(value, Operation):
            raise UserError(
                "another layer reads the output of neurons over several steps at once",
                where=target.name if target else None,
                remedy="take sums and means over time at the end only",
            )
        key = self._signatures(value, step)
        if key not in self._built:
            self._built[key] = self._operation(value, step, target)
        return self._built[key]

    def _from_data(self, value: InputValue, step: int) -> tuple[list[str], bool]:
        back = 0 if value.step is None else step - value.step
        if back < 0:
            raise UserError(f"step {step} takes the data of step {value.step}", remedy="take each step's own data")
        name, shape, flat = "input", value.shape, False
        if self._parts:
            assert value.coded is not None
            name, shape, flat = self._part(value.coded), (math.prod(value.shape),), len(value.shape) > 1
        return [name if back == 0 else self._delay(name, shape, back)], flat

    def _part(self, number: int) -> str:
        """The node that picks one coding's entries out of the input."""
        if number not in self._part_nodes:
            part, (whole,) = self._parts[number], self.nodes["input"].input_type["input"]
            size = math.prod(part.shape)
            picks = np.zeros((size, int(whole)))
            picks[np.arange(size), part.start + np.arange(size)] = 1.0
            self._part_nodes[number] = self.add(f"input.part{number + 1}", nir.Linear(picks), ["input"])
        return self._part_nodes[number]

    def _delay(self, name: str, shape: tuple[int, ...], steps: int) -> str:
        """`name`, so many steps later; one node for all that want it."""
        key = (name, steps)
        if key not in self._delays:
            self._delays[key] = self.add(f"{name}.delay", nir.Delay(np.full(shape, steps * self._dt)), [name])
        return self._delays[key]

    def _from_neuron(self, value: NeuronValue, step: int, target: Population | None) -> str:
        p = value.population
        if value.what != ("spikes" if p.fires else "membrane"):
            raise UserError(
                f"the {value.what} of this neuron goes into another layer, but only spikes travel on the chip",
                where=p.name,
                remedy="feed the next layer with spikes",
            )
        back = step - value.step
        name = self.node_of[id(p)]
        if back == 0:
            return name
        wait = back - 1 if self._loops(target, p) else back
        if wait == 0:
            return name
        return self._delay(name, (math.prod(p.shape),) if self._flat.get(id(p)) else p.shape, wait)

    def _loops(self, target: Population | None, p: Population) -> bool:
        """True if an edge from `p` to `target` closes a loop, and so takes a step by itself."""
        return target is not None and (target is p or nx.has_path(self._now, id(target), id(p)))

    def _delayed(self, op: Operation, step: int, target: Population | None) -> tuple[list[str], bool]:
        wait = op.parameters["steps"]
        names, flat = self.value(op.inputs[0], step - wait, target)
        if any(self._loops(target, each.population) for each in _neurons_in(op.inputs[0])):
            wait -= 1
        if wait == 0:
            return names, flat
        shape = (math.prod(op.shape),) if flat else op.shape
        return [self._delay(name, shape, wait) for name in names], flat

    def _operation(self, op: Operation, step: int, target: Population | None) -> tuple[list[str], bool]:
        if op.kind == "delay":
            return self._delayed(op, step, target)
        given = [self.value(v, step, target) for v in op.inputs]
        if op.kind == "add":
            if len({flat for _, flat in given}) > 1:
                given = [(names if flat else self._flatten(v, names), True)
                         for v, (names, flat) in zip(op.inputs, given, strict=True)]  # fmt: skip
            return [name for names, _ in given for name in names], given[0][1]
        if not any(flat for _, flat in given):
            made = operation_nodes(self, op, [names for names, _ in given])
            if made is not None:
                return made, False
        return self._as_matrix(op, given)

    def _flatten(self, value: Value, names: list[str]) -> list[str]:
        if len(value.shape) == 1:
            return names
        return [self.add("flatten", nir.Flatten({"input": np.array(value.shape)}, 0, -1), names)]

    def _as_matrix(self, op: Operation, given: list[tuple[list[str], bool]]) -> tuple[list[str], bool]:
        sources = [
            names if flat else self._flatten(v, names) for v, (names, flat) in zip(op.inputs, given, strict=True)
        ]
        if op.kind == "reshape":
            return sources[0], True
        size = math.prod(op.shape)
        if any(math.prod(v.shape) * size > LARGEST for v in op.inputs):
            raise UserError(
                f"NIR has no node that does this, and as a matrix it would have {size} x "
                f"{max(math.prod(v.shape) for v in op.inputs)} entries",
                where=op.name,
                remedy="use another layer, or smaller images",
            )
        if op.kind == "both":
            from .operation_nodes import both_nodes

            return both_nodes(self, op, sources, (size,)), True
        ends = []
        shift = constant_part(op)
        for i, names in enumerate(sources):
            weight = matrix_of(op, i)
            node = nir.Linear(weight) if shift is None or i else nir.Affine(weight, shift.reshape(-1))
            ends.append(self.add(op.name, node, names))
        if op.kind == "max_pool":
            ends = [self.add(op.name, nir.Threshold(np.full(size, 0.5)), ends)]
        return ends, True


def _neurons_in(value: Value) -> list[NeuronValue]:
    if isinstance(value, NeuronValue):
        return [value]
    if isinstance(value, Operation):
        return [found for v in value.inputs for found in _neurons_in(v)]
    return []


def _flattened(node: nir.NIRNode) -> nir.NIRNode:
    kept: dict[str, Any] = {}
    for key, value in vars(node).items():
        if isinstance(value, np.ndarray) and key not in ("weight", "bias"):
            kept[key] = value.reshape(-1)
    for key, value in kept.items():
        setattr(node, key, value)
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        raise UserError("a recurrent convolution over a reshaped layer", remedy="use a linear recurrent connection")
    node.__post_init__() if hasattr(node, "__post_init__") and "metadata" not in vars(node) else None
    return node
