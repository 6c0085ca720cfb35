"""Modules of snnTorch to NIR, through its `export_to_nir`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

DT = 1e-4  # fixed in snnTorch's writer


def holds(module: nn.Module) -> bool:
    """True if `module` is a neuron of snnTorch."""
    import snntorch

    return isinstance(module, snntorch.SpikingNeuron)


def to_graph(model: nn.Module, example: torch.Tensor) -> tuple[nir.NIRGraph, float]:
    """NIR graph and dt of a module whose neurons keep their state (init_hidden=True), given one step [N, *shape]."""
    from snntorch.export_nir import export_to_nir

    reset(model)  # after training, states hang on a graph that can't be copied
    model = copy.deepcopy(model).eval()
    neurons = {name: module for name, module in model.named_modules() if holds(module)}
    for name, neuron in neurons.items():
        _check(name, neuron)
    _write_out_parameters(model, neurons, example)
    reset(model)
    graph = export_to_nir(model, example[:1], ignore_dims=[0])
    for name, neuron in neurons.items():
        node = graph.nodes.get(name)
        if node is None:
            continue
        recurrent = isinstance(node, nir.NIRGraph)
        if isinstance(node, nir.LIF) and not np.isfinite(node.tau).any():
            # a learned decay that has reached 1, where tau is infinite: no leak
            node = nir.IF(np.full_like(node.tau, 1 / DT), v_threshold=node.v_threshold, v_reset=node.v_reset)
            graph.nodes[name] = node
        if neuron.reset_mechanism == "subtract":
            inner = node.nodes["lif"] if recurrent else node
            inner.metadata = {**(inner.metadata or {}), "reset": "subtract"}
            if neuron.reset_delay and isinstance(inner, nir.LIF):
                _subtract_late(graph, name, inner)
    return graph, DT


def run(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Output [T, N, ...] of x [T, N, *shape], from rest."""
    reset(model)
    out = [model(step) for step in x]
    reset(model)
    return torch.stack([each[0] if isinstance(each, tuple) else each for each in out])


def reset(model: nn.Module) -> None:
    """All states back to rest."""
    for module in model.modules():
        if holds(module):
            reset_mem: Any = module.reset_mem
            reset_mem()


def _check(name: str, neuron: nn.Module) -> None:
    if not neuron.init_hidden:
        raise UserError("the neuron does not keep its own state", where=name, remedy="build it with init_hidden=True")
    if neuron.reset_mechanism == "none":
        raise UserError("a neuron that does not reset", where=name, remedy='train with reset_mechanism="zero"')
    late = neuron.reset_mechanism == "subtract" and neuron.reset_delay
    if late and (hasattr(neuron, "recurrent") or hasattr(neuron, "alpha")):
        raise UserError(
            f"a {type(neuron).__name__} that subtracts its threshold a step after the spike",
            where=name,
            remedy='train with reset_delay=False, or reset_mechanism="zero"',
        )


def _subtract_late(graph: nir.NIRGraph, name: str, node: nir.LIF) -> None:
    """snnTorch's default: the threshold is subtracted in the step after the spike, when the membrane has decayed.

        U[t+1] = beta * U[t] + I[t+1] - S[t] * threshold

    A subtraction at once takes beta * threshold from U[t+1]; what is missing, (1 - beta) * threshold, comes by a
    synapse of each neuron onto itself. The writer's r makes the gain of the input 1.
    """
    late = f"{name}.late_reset"
    decay = DT / np.asarray(node.tau, dtype=np.float64)  # 1 - beta
    graph.nodes[late] = nir.Scale(-decay * np.asarray(node.v_threshold, dtype=np.float64))
    graph.edges += [(name, late), (late, name)]


def _write_out_parameters(model: nn.Module, neurons: dict[str, nn.Module], example: torch.Tensor) -> None:
    """One decay and threshold for a whole layer becomes one a neuron: the writer fails on scalars."""
    shapes: dict[str, torch.Size] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _arguments: Any, out: Any) -> None:
            shapes[name] = (out[0] if isinstance(out, tuple) else out).shape[1:]

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in neurons.items()]
    try:
        reset(model)
        with torch.no_grad():
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    for name, neuron in neurons.items():
        if hasattr(neuron, "recurrent"):
            continue  # its writer does so itself
        for key in ("alpha", "beta", "threshold"):
            value = getattr(neuron, key, None)
            if not isinstance(value, torch.Tensor):
                continue
            low, high = (0.0, 1.0) if key != "threshold" else (None, None)  # as snnTorch does in use
            value = value.detach().clamp(low, high) if low is not None else value.detach()
            wide = value.expand(shapes[name]).clone() if value.ndim < len(shapes[name]) else value.clone()
            if key in neuron._parameters:
                neuron._parameters[key] = nn.Parameter(wide)
            else:
                setattr(neuron, key, wide)
