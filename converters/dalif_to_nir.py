"""A trained DA-LIF network as a NIR graph: batch norm and alpha folded into weights, in float64.

DA-LIF, V = beta * H + alpha * X, is forward Euler of NIR's LIF with tau = dt / (1 - beta). alpha goes into the weights,
so that r = tau / dt and the input's gain r * dt / tau is 1: the form that most readers of NIR keep. DA-LIF fires at
V >= threshold, NIR strictly above, so the threshold written is the float32 just below: in float32, and for sums that
are exact, both fire at the same values.
"""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import TYPE_CHECKING

import nir
import numpy as np
import torch

from dalif_deploy.networks.layers import INPUT
from hw_models.errors import UserError
from hw_models.graph.neuron_dynamics import DT_DEFAULT
from hw_models.graph.node_shapes import output_shape

if TYPE_CHECKING:
    from dalif_deploy.networks import SpikingNetwork
    from dalif_deploy.networks.spiking_network import ConvBranch
    from dalif_deploy.neuron import DALIF


def network_to_nir(
    network: SpikingNetwork, *, dt: float = DT_DEFAULT, input_step: float | None = None, dataset: str | None = None
) -> nir.NIRGraph:
    """The graph of a trained network in evaluation mode.

    Args:
        dt: time step in seconds that tau refers to; written to the graph's metadata.
        input_step: value of one integer level of the data, where known (1/255 for 8-bit images).

    Returns:
        Graph input -> layers -> flatten -> affine -> output, each layer a LIF node of its name behind the sum of its
        convolutions and shortcuts; the network's result is the mean over
        `metadata["steps"]` steps of what arrives at the output.
    """
    # float64 before the activations: tanh in float32 would already move the decays
    network = copy.deepcopy(network).double()
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input({"input": np.array(network.spec.input_shape)})}
    shapes = {INPUT: tuple(network.spec.input_shape)}
    edges: list[tuple[str, str]] = []
    for name, layer in network.layers.items():
        for index, (source, branch) in enumerate(zip(layer.sources, layer.branches, strict=True)):
            label = f"{name}.conv" if index == 0 else f"{name}.shortcut"
            if isinstance(branch, torch.nn.Identity):
                shapes[label] = shapes[source]
                # the shortcut's spikes are scaled by alpha like any other current
                nodes[label] = nir.Scale(np.full(shapes[source], layer.neuron.alpha.item()))
            else:
                nodes[label] = _folded_conv(branch, layer.neuron.alpha.item(), shapes[source])
                shapes[label] = output_shape(label, nodes[label], [shapes[source]])
            edges += [(source, label), (label, name)]
        shapes[name] = shapes[f"{name}.conv"]
        nodes[name] = _neuron(name, layer.neuron, shapes[name], dt)
    readout = {
        "flatten": nir.Flatten({"input": np.array(shapes[name])}, 0, -1),
        "readout": nir.Affine(_array(network.readout.weight), _array(network.readout.bias)),
        "output": nir.Output({"output": np.array([network.readout.out_features])}),
    }
    if network.pool_size is not None:
        size = np.array(network.pool_size)
        nodes["pool"] = nir.AvgPool2d(size, size, np.zeros(2, dtype=int))
        readout["flatten"] = nir.Flatten({"input": np.array([shapes[name][0], 1, 1])}, 0, -1)
        edges.append((name, "pool"))
        name = "pool"
    nodes |= readout
    edges += pairwise([name, *readout])
    metadata = {"dt": float(dt), "steps": int(network.steps), "readout": "mean over steps"}
    if input_step is not None:
        metadata["input_step"] = float(input_step)
    if dataset is not None:
        metadata["dataset"] = dataset
    return nir.NIRGraph(nodes, edges, metadata=metadata)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def _folded_conv(branch: ConvBranch, alpha: float, shape: tuple[int, ...]) -> nir.Conv2d:
    conv, norm = branch.conv, branch.norm
    gain = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
    weight = _array(conv.weight) * (alpha * gain)[:, None, None, None]
    bias = alpha * (_array(norm.bias) - gain * _array(norm.running_mean))
    return nir.Conv2d(shape[1:], weight, conv.stride, conv.padding, conv.dilation, conv.groups, bias)


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
