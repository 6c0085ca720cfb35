"""Modules of SpikingJelly to NIR, through its `export_to_nir`."""

from __future__ import annotations

import copy

import nir
import numpy as np
import torch
from torch import nn

DT = 1e-4


def holds(module: nn.Module) -> bool:
    """True if `module` is a neuron of SpikingJelly."""
    from spikingjelly.activation_based import neuron

    return isinstance(module, neuron.BaseNode)


def to_graph(model: nn.Module, example: torch.Tensor) -> tuple[nir.NIRGraph, float]:
    """NIR graph and dt of a module, given one step [N, *shape].

    SpikingJelly fires on the threshold itself, NIR above it: the graph has the largest float below the threshold.
    """
    from spikingjelly.activation_based import functional
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    functional.reset_net(model)  # after training, states hang on a graph that can't be copied
    model = copy.deepcopy(model).eval()
    functional.set_step_mode(model, "s")
    neurons = {name: module for name, module in model.named_modules() if holds(module)}
    soft = [name for name, neuron in neurons.items() if neuron.v_reset is None]
    for name in soft:
        neurons[name].v_reset = 0.0  # its writer refuses None
    graph = export_to_nir(model, example[:1], dt=DT)
    for name in neurons:
        node = graph.nodes["_" + name.replace(".", "_")] if name not in graph.nodes else graph.nodes[name]
        node.v_threshold = np.nextafter(np.asarray(node.v_threshold, dtype=np.float64), 0)
        if name in soft:
            node.metadata = {**(node.metadata or {}), "reset": "subtract"}
    return graph, DT


def run(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Output [T, N, ...] of x [T, N, *shape], from rest."""
    from spikingjelly.activation_based import functional

    functional.reset_net(model)
    model = copy.deepcopy(model)
    functional.set_step_mode(model, "s")
    return torch.stack([model(step) for step in x])
