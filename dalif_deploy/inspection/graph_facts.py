"""Nodes and edges of a float graph, in plain numbers."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.flat_graph import FlatGraph, flatten_graph
from dalif_deploy.hw_models.neurons import NEURONS, neuron_dynamics

CONVOLUTIONS = (nir.Conv1d, nir.Conv2d)


def graph_facts(graph: nir.NIRGraph, dt: float) -> dict[str, Any]:
    """Facts of a graph, in order of data flow.

    Args:
        dt: time step in seconds.

    Returns:
        `nodes`: a row each with name, kind, shape (of what it gives out), neurons, weights (stored), synapses (weights
        other than zero, a convolution's at each place; those over a border counted) and, of neurons, the lowest and
        highest alpha (as trained; folded into the weights before it), beta and threshold, and reset. `edges`: [source,
        target, whether it closes a loop]. `fault`: what is wrong with the graph as a whole, or None; shapes are then
        unknown.
    """
    try:
        flat = flatten_graph(graph)
    except UserError as error:
        nodes = [
            {"name": n, "kind": type(node).__name__, "shape": None, **_counts(node, None), "neuron": None}
            for n, node in graph.nodes.items()
        ]
        return {"nodes": nodes, "edges": [[a, b, False] for a, b in graph.edges], "fault": str(error)}
    return {
        "nodes": [_node(flat, name, dt) for name in flat.order()],
        "edges": [[a, b, (a, b) in flat.back_edges] for a, b in flat.edges],
        "fault": None,
    }


def _node(flat: FlatGraph, name: str, dt: float) -> dict[str, Any]:
    node, shape = flat.nodes[name], tuple(map(int, flat.shapes[name]))
    return {
        "name": name,
        "kind": type(node).__name__,
        "shape": list(shape),
        **_counts(node, shape),
        "neuron": _neuron(name, node, dt) if type(node) in NEURONS else None,
    }


def _counts(node: nir.NIRNode, shape: tuple[int, ...] | None) -> dict[str, int | None]:
    weight = getattr(node, "weight", None)
    used = 0 if weight is None else int(np.count_nonzero(weight))
    known = shape is not None
    places = int(np.prod(shape[1:])) if shape is not None and isinstance(node, CONVOLUTIONS) else 1
    neurons = int(np.prod(shape)) if shape is not None and type(node) in NEURONS else 0
    return {
        "neurons": neurons if known else None,
        "weights": 0 if weight is None else int(np.size(weight)),
        "synapses": used * places if known else None,
    }


def _neuron(name: str, node: nir.NIRNode, dt: float) -> dict[str, Any]:
    try:
        dynamics = neuron_dynamics(name, node, dt)
    except UserError as error:
        return {"fault": str(error)}
    return {
        "fault": None,
        "beta": _ends(dynamics.beta),
        "alpha": _ends(np.asarray(node.metadata.get("alpha", dynamics.gain), dtype=np.float64)),
        "threshold": None if dynamics.threshold is None else _ends(dynamics.threshold),
        "reset": dynamics.reset,
    }


def _ends(values: np.ndarray) -> list[float]:
    return [float(np.min(values)), float(np.max(values))]
