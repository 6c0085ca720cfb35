"""This project's own neuron, in any module: [T, N, ...] a call. It fires on the threshold itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dalif_deploy.neuron import DALIF

from ..neuron_nodes import below, leaky, numbers
from ..population import Neuron, NeuronCall, NeuronNodes


def neuron(name: str, module: nn.Module) -> Neuron | None:
    """How a DALIF is called, None for anything else."""
    if not isinstance(module, DALIF):
        return None
    return Neuron(_call(module), lambda shape: _nodes(module, shape), time_axis=0)


def _call(module: DALIF) -> Callable[..., NeuronCall]:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NeuronCall:
        record: list[torch.Tensor] = []
        output = module.forward(args[0], record)
        asked = args[1] if len(args) > 1 else kwargs.get("record")
        if asked is not None:
            asked += record
        return NeuronCall(output, args[0], output, torch.stack(record), hidden=False)

    return call


def _nodes(module: DALIF, shape: tuple[int, ...]) -> NeuronNodes:
    threshold = below(numbers(module.rule.v_threshold, shape))
    return NeuronNodes(leaky(shape, beta=module.beta, gain=module.gain, threshold=threshold, reset=module.reset))
