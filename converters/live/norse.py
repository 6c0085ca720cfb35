"""Modules of Norse to NIR, by its own mapping, and what that leaves out."""

from __future__ import annotations

import copy
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError


def holds(module: nn.Module) -> bool:
    """True if `module` is a neuron of Norse."""
    from norse.torch.module.snn import SNNCell

    return isinstance(module, SNNCell)


def to_graph(model: nn.Module, example: torch.Tensor) -> tuple[nir.NIRGraph, float]:
    """NIR graph and dt of a `SequentialState`, given one step [N, *shape]."""
    import nirtorch

    model = copy.deepcopy(model).eval()
    cells = {name: module for name, module in model.named_modules() if holds(module)}
    steps = {float(cell.dt) for cell in cells.values()}
    if len(steps) != 1:
        raise UserError(f"neurons of several time steps: {sorted(steps)}", remedy="give all cells the same dt")
    (dt,) = steps
    graph = nirtorch.extract_nir_graph(
        model, lambda module: _node(module, dt), example[:1], model_name="norse", ignore_dims=[0]
    )
    return graph, dt


def run(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Output [T, N, ...] of x [T, N, *shape], from rest."""
    state, out = None, []
    for step in x:
        each, state = model(step, state)
        out.append(each)
    return torch.stack(out)


def _node(module: Any, dt: float) -> nir.NIRNode | None:
    from norse.torch.functional.reset import reset_subtract
    from norse.torch.utils.export_nir import _extract_norse_module

    if isinstance(module, nn.Flatten):
        return nir.Flatten(None, max(module.start_dim - 1, 0), module.end_dim)
    if isinstance(module, nn.AvgPool2d):
        stride = module.kernel_size if module.stride is None else module.stride
        return nir.AvgPool2d(np.array(module.kernel_size), np.array(stride), np.array(module.padding))
    # its dt multiplies time constants, which are in seconds already
    node = _extract_norse_module(module, dt=1.0)
    if isinstance(node, nir.LIF | nir.IF | nir.CubaLIF):
        node.v_reset = module.p.v_reset.detach() + torch.zeros_like(module.p.v_th)
        if getattr(module.p, "reset_method", None) is reset_subtract:
            node.metadata = {"reset": "subtract"}
    if isinstance(node, nir.IF):
        node.r = torch.ones_like(module.p.v_th) / dt  # its input is charge, not current
    if isinstance(node, nir.CubaLIF):
        node.w_in = node.tau_syn / dt  # likewise
    return node
