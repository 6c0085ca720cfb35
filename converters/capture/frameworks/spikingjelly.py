"""SpikingJelly's neurons, one step or all steps a call. They fire on the threshold itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..neuron_nodes import below, leaky, numbers
from ..population import Neuron, NeuronCall, NeuronNodes, UnknownNeuronError

KNOWN = ("IFNode", "LIFNode", "ParametricLIFNode")
ADD_UP = ("NonSpikingIFNode", "NonSpikingLIFNode")  # a loop that adds up, which is followed as one in a forward is


def neuron(name: str, module: nn.Module) -> Neuron | None:
    """How a module of SpikingJelly is called, None if it is none of its neurons."""
    from spikingjelly.activation_based import neuron as neurons

    if not isinstance(module, neurons.BaseNode | neurons.base_node.NonSpikingBaseNode):
        return None
    kind = type(module).__name__
    if kind in ADD_UP:
        return None
    if kind not in KNOWN:
        raise UnknownNeuronError(
            f"SpikingJelly's {kind} has states or a reset that a neuron of the chip does not have",
            where=name,
            remedy=f"use one of {', '.join(KNOWN)}",
        )
    multi = getattr(module, "step_mode", "m") == "m"
    return Neuron(_call(module, multi), lambda shape: _nodes(module, kind, shape), time_axis=0 if multi else None)


def reset(model: nn.Module) -> None:
    """All states back to rest."""
    from spikingjelly.activation_based import functional

    functional.reset_net(model)


def multi_step(model: nn.Module) -> bool:
    """True if a layer of the model takes all steps in one call."""
    from spikingjelly.activation_based import base

    return any(isinstance(m, base.StepModule) and getattr(m, "step_mode", "s") == "m" for m in model.modules())


def _call(module: Any, multi: bool) -> Callable[..., NeuronCall]:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NeuronCall:
        if not multi:
            output = module.forward(*args, **kwargs)
            return NeuronCall(output, args[0], output, module.v, {}, {"membrane": module.v})
        stored = module.store_v_seq
        module.store_v_seq = True
        output = module.forward(*args, **kwargs)
        membranes = module.v_seq
        if not stored:
            module.store_v_seq = False
        out = {"membrane": membranes} if stored else {}
        return NeuronCall(output, args[0], output, membranes, {}, out)

    return call


def _nodes(module: Any, kind: str, shape: tuple[int, ...]) -> NeuronNodes:
    soft = module.v_reset is None
    v_reset = 0.0 if soft else module.v_reset
    options: dict[str, Any] = {
        "threshold": below(numbers(module.v_threshold, shape)),
        "reset": "subtract" if soft else "zero",
        "v_reset": v_reset,
    }
    if kind == "IFNode":
        return NeuronNodes(leaky(shape, beta=1.0, gain=1.0, **options))
    inverse = (
        torch.sigmoid(module.w).detach() if kind == "ParametricLIFNode" else 1 / torch.as_tensor(module.tau).double()
    )
    gain = inverse if module.decay_input else 1.0
    return NeuronNodes(leaky(shape, beta=1 - inverse.double(), gain=gain, rest=v_reset, **options))
