"""Nested NIR graphs laid flat, with the shape of every node."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass, field, replace
from typing import Any

import networkx as nx
import nir
import numpy as np

from ..chip_network.size import check_size
from ..errors import UserError
from ..neurons import NEURONS
from .node_shapes import output_shape

LINEAR = (
    nir.Affine,
    nir.Linear,
    nir.Scale,
    nir.Conv1d,
    nir.Conv2d,
    nir.SumPool2d,
    nir.AvgPool2d,
    nir.Flatten,
    nir.Delay,
)


@dataclass
class FlatGraph:
    """A NIR graph without nesting.

    Attributes:
        nodes: name -> NIR node; names of nested nodes are joined by dots.
        edges: (source, target), sorted, each once.
        shapes: name -> output shape, no batch, no time; channels first.
        back_edges: edges that close a loop; a value passes them one step later.
        metadata: the top graph's metadata.
    """

    nodes: dict[str, nir.NIRNode]
    edges: list[tuple[str, str]]
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    back_edges: set[tuple[str, str]] = field(default_factory=set)
    metadata: dict[str, Any] = field(default_factory=dict)

    def of_type(self, *types: type) -> list[str]:
        """Names of the nodes of these types, sorted."""
        return sorted(name for name, node in self.nodes.items() if isinstance(node, types))

    @property
    def neurons(self) -> list[str]:
        """Names of the neurons, sorted."""
        return self.of_type(*NEURONS)

    @property
    def spiking(self) -> list[str]:
        """Names of the neurons that spike, sorted; the others send their membrane on."""
        return self.of_type(*(node for node, neuron in NEURONS.items() if neuron.spikes))

    def is_neuron(self, name: str) -> bool:
        """Whether that node is a neuron."""
        return type(self.nodes[name]) in NEURONS

    @property
    def inputs(self) -> list[str]:
        """Input nodes that data enters by (those of nested graphs only pass on)."""
        return [n for n in self.of_type(nir.Input) if not self.predecessors(n)]

    @property
    def outputs(self) -> list[str]:
        """Output nodes that nothing follows."""
        followed = {a for a, _ in self.edges}
        return [n for n in self.of_type(nir.Output) if n not in followed]

    def predecessors(self, name: str) -> list[str]:
        """Sources of all edges into `name`."""
        return [a for a, b in self.edges if b == name]

    def order(self) -> list[str]:
        """Nodes in order of data flow within one step, ties by name, independent of the order in the file."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from(e for e in self.edges if e not in self.back_edges)
        return list(nx.lexicographical_topological_sort(graph))


def flatten_graph(graph: nir.NIRGraph) -> FlatGraph:
    """Flattens nested graphs, checks the structure, infers every shape and finds the edges that close loops.

    Raises:
        UserError: an edge to a missing node, an unknown node type, non-finite parameters, shapes that don't fit.
    """
    nodes: dict[str, nir.NIRNode] = {}
    edges = _collect(graph, "", nodes)
    flat = FlatGraph(nodes, sorted(set(edges)), metadata=dict(graph.metadata or {}))
    _check(flat)
    flat.back_edges = _back_edges(flat)
    _infer_shapes(flat)
    check_size(flat.shapes.values())
    return flat


# Some writers leave axes of the sample data in the Input nodes, Norse that of the batch, Rockpool those of batch and
# time; some count them in Flatten, as torch does, and in the parameters of neurons, too: axes of inputs, axes of nodes.
OUTER_AXES = ((1, 0), (2, 0), (1, 1), (2, 2), (0, 1))


def _infer_shapes(flat: FlatGraph) -> None:
    """Sets the shapes; where the graph fits only without outer axes, they are taken off."""
    try:
        flat.shapes = _shapes(flat)
        return
    except UserError as error:
        fault = error
    for of_inputs, of_nodes in OUTER_AXES:
        nodes = {name: _without_axes(node, of_nodes) for name, node in flat.nodes.items()} if of_nodes else flat.nodes
        with contextlib.suppress(UserError, IndexError):
            flat.shapes = _shapes(replace(flat, nodes=nodes), of_inputs)
            flat.nodes = nodes
            return
    raise fault


def _without_axes(node: nir.NIRNode, outer: int) -> nir.NIRNode:
    """A Flatten that counts `outer` axes less, a neuron whose parameters lack as many axes of length 1 in front."""
    within = copy.copy(node)
    if isinstance(node, nir.Flatten):
        for key in ("start_dim", "end_dim"):
            axis = int(getattr(node, key))
            setattr(within, key, axis - outer if axis >= outer else axis)
    elif type(node) in NEURONS:
        for key, value in vars(node).items():
            if isinstance(value, np.ndarray) and value.ndim > outer and value.shape[:outer] == (1,) * outer:
                setattr(within, key, value.reshape(value.shape[outer:]))
    return within


def _shapes(flat: FlatGraph, outer: int = 0) -> dict[str, tuple[int, ...]]:
    """Shape of every node, the data's without its `outer` first axes."""
    shapes: dict[str, tuple[int, ...]] = {}
    fed_by: dict[str, list[str]] = {}
    for source, target in flat.edges:
        fed_by.setdefault(target, []).append(source)
    order = flat.order()
    waiting = list(order)
    while waiting:
        # a node fed by nothing but a loop waits until the loop's neuron is known
        known = (n for n in waiting if n not in fed_by or any(a in shapes for a in fed_by[n]))
        name = next(known, waiting[0])
        shapes[name] = output_shape(name, flat.nodes[name], [shapes[a] for a in fed_by.get(name, ()) if a in shapes])
        if isinstance(flat.nodes[name], nir.Input) and name not in fed_by:
            shapes[name] = shapes[name][outer:]
        waiting.remove(name)
    for name in order:
        if name in fed_by:
            output_shape(name, flat.nodes[name], [shapes[a] for a in fed_by[name]])
    return shapes


def _collect(graph: nir.NIRGraph, prefix: str, nodes: dict[str, nir.NIRNode]) -> list[tuple[str, str]]:
    entry: dict[str, str] = {}  # subgraph -> its Input node, kept as a pass-through
    leave: dict[str, str] = {}
    edges: list[tuple[str, str]] = []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            edges += _collect(node, f"{prefix}{name}.", nodes)
            inputs = [n for n, inner in node.nodes.items() if isinstance(inner, nir.Input)]
            outputs = [n for n, inner in node.nodes.items() if isinstance(inner, nir.Output)]
            if len(inputs) != 1 or len(outputs) != 1:
                raise UserError(
                    f"nested graph has {len(inputs)} inputs and {len(outputs)} outputs",
                    where=f"{prefix}{name}",
                    remedy="give it one of each",
                )
            entry[name], leave[name] = f"{prefix}{name}.{inputs[0]}", f"{prefix}{name}.{outputs[0]}"
        else:
            nodes[prefix + name] = node
    for source, target in graph.edges:
        for end in (source, target):
            if end not in graph.nodes:
                raise UserError(
                    "an edge names a node that does not exist",
                    where=f"{prefix}{end}",
                    remedy="check the graph's edges",
                )
        edges.append((leave.get(source, prefix + source), entry.get(target, prefix + target)))
    return edges


def _check(flat: FlatGraph) -> None:
    known = (*NEURONS, *LINEAR, nir.Input, nir.Output)
    for name, node in flat.nodes.items():
        if not isinstance(node, known):
            raise UserError(
                f"node type {type(node).__name__} is not of the LIF family",
                where=name,
                remedy="supported are " + ", ".join(sorted(t.__name__ for t in known)),
            )
        for key, value in vars(node).items():
            if (
                value is None
                or key in ("metadata", "input_type", "output_type")
                or (key, type(value)) == ("padding", str)
            ):
                continue
            array = np.asarray(value)
            if array.dtype.kind not in "biuf":
                raise UserError(f"{key} holds {array.dtype}, not numbers", where=name, remedy="repair the graph")
            if not np.isfinite(array).all():
                raise UserError(f"{key} holds NaN or infinity", where=name, remedy="retrain or repair the network")
    if not flat.of_type(nir.Input):
        raise UserError("the graph has no Input node", remedy="add one with the shape of the data")
    if not flat.of_type(nir.Output):
        raise UserError("the graph has no Output node", remedy="add one after the last node")


def _back_edges(flat: FlatGraph) -> set[tuple[str, str]]:
    """Edges that close loops: the ones out of a neuron that lead back towards the inputs, or stay level.

    Which edge of a loop takes the step of delay must not depend on the order in the file: it is the edge out of the
    neuron furthest from the inputs (ties by name).
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(flat.nodes)
    graph.add_edges_from(flat.edges)
    distance = dict.fromkeys(flat.nodes, len(flat.nodes))
    for start in flat.of_type(nir.Input):
        for name, steps in nx.single_source_shortest_path_length(graph, start).items():
            distance[name] = min(distance[name], steps)
    back: set[tuple[str, str]] = set()
    while True:
        loops = [c for c in nx.strongly_connected_components(graph) if len(c) > 1]
        loops += [{n} for n in graph if graph.has_edge(n, n)]
        if not loops:
            return back
        for loop in loops:
            neurons = [n for n in loop if flat.is_neuron(n)]
            if not neurons:
                raise UserError("a loop without a neuron", where=sorted(loop)[0], remedy="put a neuron into the loop")
            last = max(neurons, key=lambda n: (distance[n], n))
            cut = [(a, b) for a, b in graph.edges if a == last and b in loop]
            back.update(cut)
            graph.remove_edges_from(cut)
