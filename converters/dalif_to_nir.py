"""A trained DA-LIF network as a NIR graph: batch norm and alpha folded into weights, in float64.

DA-LIF, V = beta * H + alpha * X, is forward Euler of NIR's LIF with tau = dt / (1 - beta). alpha goes into the weights,
so that r = tau / dt and the input's gain r * dt / tau is 1: the form that most readers of NIR keep. DA-LIF fires at
V >= threshold, NIR strictly above, so the threshold written is the float32 just below: in float32, and for sums that
are exact, both fire at the same values.
"""

from __future__ import annotations

import copy
import math
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
        convolutions and shortcuts; the network's result is the mean over
        `metadata["steps"]` steps of what arrives at the output.
    """
    # float64 before the activations: tanh in float32 would already move the decays
    network = copy.deepcopy(network).double()
    graph = _Graph(tuple(network.spec.input_shape))
    layer: Any  # a ModuleDict does not know the class of its modules
    for name, layer in network.layers.items():
        alpha = layer.neuron.alpha.item()
        ends = []
        for index, module in enumerate(layer.branches):
            # the first one's name is that of its weights; more are shortcuts
            label = f"{name}.{module.branch.kind if index == 0 else 'shortcut'}"
            ends.append(graph.branch(label, module, alpha))
        graph.add(name, _neuron(name, layer.neuron, graph.shapes[ends[0]], dt), ends)
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

    def branch(self, label: str, module: BranchModule, alpha: float) -> str:
        """Pooling, weights and batch norm, times alpha."""
        sources = self.pooled(label, module)
        shape = self.shapes[sources[0]]
        if module.linear is None:
            # a shortcut's spikes are scaled by alpha like any other current
            return self.add(label, nir.Scale(np.full(shape, alpha)), sources)
        norm: Any = module.norm
        linear: Any = module.linear
        gain = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
        weight = _array(linear.weight)
        weight = weight * (alpha * gain).reshape(-1, *[1] * (weight.ndim - 1))
        bias = alpha * (_array(norm.bias) - gain * _array(norm.running_mean))
        if module.branch.kind == "dense":
            if len(shape) > 1:
                sources = [self.add(f"{label}.flatten", nir.Flatten({"input": np.array(shape)}, 0, -1), sources)]
            return self.add(label, nir.Affine(weight, bias), sources)
        node = nir.Conv2d(shape[1:], weight, linear.stride, linear.padding, linear.dilation, linear.groups, bias)
        return self.add(label, node, sources)


def _neuron(name: str, neuron: DALIF, shape: tuple[int, ...], dt: float) -> nir.NIRNode:
    alpha, beta = neuron.alpha.item(), neuron.beta.item()
    if not math.isfinite(alpha) or not math.isfinite(beta) or beta > 1:
        raise UserError(f"alpha {alpha} or beta {beta} is no decay", where=name, remedy="retrain this network")
    below = float(np.nextafter(np.float32(neuron.v_threshold), np.float32(-np.inf)))
    threshold, zero = np.full(shape, below), np.zeros(shape)
    if beta == 1.0:
        node = nir.IF(r=np.full(shape, 1 / dt), v_threshold=threshold, v_reset=zero)
    else:
        tau = np.full(shape, dt / (1 - beta))
        node = nir.LIF(tau=tau, r=tau / dt, v_leak=zero, v_threshold=threshold, v_reset=zero.copy())
    node.metadata = {"alpha": alpha, "beta": beta, "threshold": float(neuron.v_threshold), "reset": neuron.reset}
    return node
