"""A trained DA-LIF network as a NIR graph: batch norm and alpha folded into weights, in float64.

DA-LIF, V = beta * H + alpha * X, is forward Euler of NIR's LIF with tau = dt / (1 - beta). alpha goes into the weights,
so that r = tau / dt and the input's gain r * dt / tau is 1: the form that most readers of NIR keep. Where neurons that
share a convolution's weights have an alpha each, the membrane counts in alphas: V / alpha fires at threshold / alpha. A
layer's own spikes come back through a node of their own, one step later, as NIR's loops do. DA-LIF fires at
V >= threshold, NIR strictly above, so the threshold written is the float32 just below: in float32, and for sums that
are exact, both fire at the same values.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import nir
import numpy as np
import torch

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.node_shapes import output_shape
from dalif_deploy.hw_models.neurons.recurrence import DT_DEFAULT
from dalif_deploy.networks.layers import INPUT

if TYPE_CHECKING:
    from dalif_deploy.networks import SpikingNetwork
    from dalif_deploy.networks.spiking_network import BranchModule
    from dalif_deploy.neuron import DALIF


def network_to_nir(
    network: SpikingNetwork,
    *,
    dt: float = DT_DEFAULT,
    input_step: float | None = None,
    input_highest: float | None = None,
    dataset: str | None = None,
) -> nir.NIRGraph:
    """The graph of a trained network in evaluation mode.

    Args:
        dt: time step in seconds that tau refers to; written to the graph's metadata.
        input_step: value of one integer level of the data, where known (1/255 for 8-bit images).
        input_highest: largest value of the data, where known.

    Returns:
        Graph input -> layers -> flatten -> affine -> output, each layer a LIF node of its name behind the sum of its
        convolutions, shortcuts and recurrent weights; the network's result is the mean over
        `metadata["steps"]` steps of what arrives at the output.
    """
    if network.spec.neuron.kind == "relu":
        raise UserError(
            "a ReLU network has no spikes to export",
            remedy="take it as --baseline of dalif-energy, or convert it: dalif_deploy.rate_coding.convert",
        )
    # float64 before the activations: tanh in float32 would already move the decays
    network = copy.deepcopy(network).double()
    graph = _Graph(tuple(network.spec.input_shape))
    layer: Any  # a ModuleDict does not know the class of its modules
    for name, layer in network.layers.items():
        rows, counts_in = _gains(name, layer.neuron)
        ends = []
        for index, module in enumerate(layer.branches):
            # the first one's name is that of its weights; more are shortcuts
            label = f"{name}.{module.branch.kind if index == 0 else 'shortcut'}"
            ends.append(graph.branch(label, module, rows))
        graph.add(name, _neuron(name, layer.neuron, graph.shapes[ends[0]], counts_in, dt), ends)
        if layer.recurrent is not None:
            graph.recurrent(name, layer.recurrent, rows)
    ends = graph.pooled("readout", network.reads)
    shape = graph.shapes[ends[0]]
    graph.add("flatten", nir.Flatten({"input": np.array(shape)}, 0, -1), ends)
    graph.add("readout", nir.Affine(_array(network.readout.weight), _array(network.readout.bias)), ["flatten"])
    graph.add("output", nir.Output({"output": np.array([network.readout.out_features])}), ["readout"])
    metadata = {"dt": float(dt), "steps": int(network.steps), "readout": "mean over steps"}
    if input_step is not None:
        metadata["input_step"] = float(input_step)
    if input_highest is not None:
        metadata["input_highest"] = float(input_highest)
    if dataset is not None:
        metadata["dataset"] = dataset
    return nir.NIRGraph(graph.nodes, graph.edges, metadata=metadata)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


class _Graph:
    """Nodes and edges as they are added, with the shape of each node's output."""

    def __init__(self, input_shape: tuple[int, ...]):
        self.nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input({"input": np.array(input_shape)})}
        self.edges: list[tuple[str, str]] = []
        self.shapes = {INPUT: input_shape}

    def add(self, name: str, node: nir.NIRNode, sources: list[str]) -> str:
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        self.shapes[name] = output_shape(name, node, [self.shapes[source] for source in sources])
        return name

    def pooled(self, label: str, module: BranchModule) -> list[str]:
        """The sources of a branch, or the one node that pools their sum."""
        sources = list(module.branch.sources)
        if module.pool == 1:
            return sources
        size = np.broadcast_to(np.array(module.pool), (2,)).copy()
        return [self.add(f"{label}.pool", nir.AvgPool2d(size, size, np.zeros(2, dtype=int)), sources)]

    def recurrent(self, name: str, linear: Any, rows: np.ndarray) -> None:
        """A layer's own spikes, back to it."""
        weight = _rows_scaled(_array(linear.weight), rows)
        if weight.ndim == 2:
            node: nir.NIRNode = nir.Linear(weight)
        else:
            size, bias = self.shapes[name][1:], np.zeros(len(weight))
            node = nir.Conv2d(size, weight, linear.stride, linear.padding, linear.dilation, linear.groups, bias)
        self.edges.append((self.add(f"{name}.recurrent", node, [name]), name))

    def branch(self, label: str, module: BranchModule, rows: np.ndarray) -> str:
        """Pooling, weights and batch norm, times `rows`, a factor of all or one a row of the weights."""
        sources = self.pooled(label, module)
        shape = self.shapes[sources[0]]
        if module.linear is None:
            # a shortcut's spikes are scaled like any other current
            return self.add(label, nir.Scale(_rows_scaled(np.ones(shape), rows)), sources)
        norm: Any = module.norm
        linear: Any = module.linear
        weight = _array(linear.weight)
        if norm is None:
            weight, bias = _rows_scaled(weight, rows), rows * _array(linear.bias)
        else:
            gain = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
            weight = _rows_scaled(weight, rows * gain)
            bias = rows * (_array(norm.bias) - gain * _array(norm.running_mean))
        if module.branch.kind == "dense":
            if len(shape) > 1:
                sources = [self.add(f"{label}.flatten", nir.Flatten({"input": np.array(shape)}, 0, -1), sources)]
            return self.add(label, nir.Affine(weight, bias), sources)
        node = nir.Conv2d(shape[1:], weight, linear.stride, linear.padding, linear.dilation, linear.groups, bias)
        return self.add(label, node, sources)


def _rows_scaled(weight: np.ndarray, rows: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = weight * rows.reshape(-1, *[1] * (weight.ndim - 1))
    return scaled


def _gains(name: str, neuron: DALIF) -> tuple[np.ndarray, np.ndarray]:
    """What each row of the weights is multiplied by, and what the membrane counts in beside that."""
    gain = _array(neuron.gain)
    if not neuron.gain_stays:
        return gain.reshape(-1), np.array(1.0)
    if (gain <= 0).any():
        raise UserError(
            f"an alpha of {gain.min():.4g} in an image whose neurons have one each; there it must be above 0",
            where=name,
            remedy="train with dalif-train, which keeps it so, or with decays a channel",
        )
    return np.array(1.0), gain


def _neuron(name: str, neuron: DALIF, shape: tuple[int, ...], counts_in: np.ndarray, dt: float) -> nir.NIRNode:
    alpha, beta = _array(neuron.alpha), _array(neuron.beta)
    if not np.isfinite(alpha).all() or not np.isfinite(beta).all() or (beta > 1).any():
        shown = ", ".join(f"{each.min():g}..{each.max():g}" if each.ndim else f"{each:g}" for each in (alpha, beta))
        raise UserError(f"alpha or beta ({shown}) is not a valid decay", where=name, remedy="retrain this network")
    fires_at = (neuron.rule.v_threshold / counts_in).astype(np.float32)
    below = np.nextafter(fires_at, np.float32(-np.inf)).astype(np.float64)
    threshold, zero = np.broadcast_to(below, shape).copy(), np.zeros(shape)
    if (beta == 1.0).all():
        node = nir.IF(r=np.full(shape, 1 / dt), v_threshold=threshold, v_reset=zero)
    else:
        # a LIF can't say 1 exactly: where neurons differ, one that never leaks has the longest tau that float64 knows
        tau = np.broadcast_to(dt / np.maximum(1 - beta, 2.0**-53), shape).copy()
        node = nir.LIF(tau=tau, r=tau / dt, v_leak=zero, v_threshold=threshold, v_reset=zero.copy())
    node.metadata = {
        "alpha": _plain(alpha),
        "beta": _plain(beta),
        "threshold": _plain(_array(neuron.threshold)),
        "reset": neuron.reset,
    }
    return node


def _plain(values: np.ndarray) -> Any:
    """A number, or an array of what differs."""
    return values.item() if values.ndim == 0 else values
