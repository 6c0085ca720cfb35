"""snnTorch's neurons. A `mem` that is passed by hand and one that the module keeps are the same to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

from ..neuron_nodes import late_subtraction, leaky, numbers
from ..population import Neuron, NeuronCall, NeuronNodes, UnknownNeuronError

STATES = {
    "Leaky": ("mem",),
    "Lapicque": ("mem",),
    "Synaptic": ("syn", "mem"),
    "RLeaky": ("spk", "mem"),
    "RSynaptic": ("spk", "syn", "mem"),
}
# their late reset to zero wipes what arrives in the step after a spike as well: a refractory step
BLIND_RESET = {"Lapicque", "Synaptic", "RLeaky", "RSynaptic"}

BEYOND_THE_CHIP = {
    "Alpha": "two synaptic currents and no membrane of its own",
    "SLSTM": "gates, which multiply signals",
    "SConv2dLSTM": "gates, which multiply signals",
}


def neuron(name: str, module: nn.Module) -> Neuron | None:
    """How a module of snnTorch is called, None if it is none of its neurons."""
    import snntorch

    if not isinstance(module, snntorch.SpikingNeuron):
        return None
    kind = next((c.__name__ for c in type(module).__mro__ if c.__name__ in STATES), None)
    if kind is None:
        kind = type(module).__name__
        raise UnknownNeuronError(
            f"snnTorch's {kind} has {BEYOND_THE_CHIP.get(kind, 'states or a reset')}; a neuron of the chip has not",
            where=name,
            remedy=f"use one of {', '.join(STATES)}",
        )
    _check(name, module, kind)
    mode = "none" if int(module.reset_mechanism_val) == 2 else str(module.reset_mechanism)
    return Neuron(_call(module, STATES[kind], mode), lambda shape: _nodes(module, kind, mode, shape), fires=True)


def reset(model: nn.Module) -> None:
    """All states back to rest."""
    import snntorch

    for module in model.modules():
        if isinstance(module, snntorch.SpikingNeuron):
            for state in ("mem", "syn", "spk", "syn_exc", "syn_inh"):
                if isinstance(getattr(module, state, None), torch.Tensor):
                    setattr(module, state, torch.zeros_like(getattr(module, state).detach()))


def _check(name: str, module: Any, kind: str) -> None:
    if module.inhibition:
        raise UserError(
            "inhibition=True lets one neuron of a layer fire, which needs the whole layer's membranes compared; "
            "a neuron on the chip knows its own",
            where=name,
            remedy="train without inhibition",
        )
    if module.state_quant:
        raise UserError("state_quant rounds the membrane", where=name, remedy="train without state_quant")


def _call(module: Any, states: tuple[str, ...], mode: str) -> Callable[..., NeuronCall]:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NeuronCall:
        given = dict(zip(("input_", *states), args, strict=False)) | kwargs
        output = module.forward(*args, **kwargs)
        x = given.pop("input_")
        passed = {state: value for state, value in given.items() if value is not None}
        spikes = output[0] if isinstance(output, tuple) else output
        membrane = module.mem
        late = mode != "none" and bool(getattr(module, "reset_delay", True))
        if late:
            # as NIR counts it, after the reset
            fired = membrane > module.threshold
            kept = membrane - module.threshold if mode == "subtract" else torch.zeros_like(membrane)
            membrane = torch.where(fired, kept, membrane)
        out = {"mem": module.mem}
        if isinstance(output, tuple):
            out |= dict(zip(states, output[1:] if len(output) > len(states) else output, strict=False))
        out.pop("spk", None)
        passed.pop("spk", None)
        return NeuronCall(output, x, spikes, membrane, passed, {_name(k): v for k, v in out.items()}, not passed, late)

    def named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NeuronCall:
        done = call(args, kwargs)
        done.states_in = {_name(k): v for k, v in done.states_in.items()}
        return done

    return named


def _name(state: str) -> str:
    return "membrane" if state == "mem" else state


def _nodes(module: Any, kind: str, mode: str, shape: tuple[int, ...]) -> NeuronNodes:
    threshold = module.threshold
    alpha = gain = None
    if kind == "Lapicque":
        beta = 1 - module.time_step / (module.R * module.C)
        gain = module.R * (1 / (module.R * module.C)) * module.time_step
    else:
        beta, gain = module.beta.clamp(0, 1), 1.0
    if hasattr(module, "alpha"):
        alpha = module.alpha.clamp(0, 1)
    reset_as = "subtract" if mode == "subtract" else "zero"
    node = leaky(
        shape,
        beta=beta,
        gain=gain,
        threshold=threshold,
        reset=reset_as,
        synapse=None if alpha is None else (alpha, 1.0),
        refractory=int(mode == "zero" and kind in BLIND_RESET and getattr(module, "reset_delay", True)),
    )
    if mode == "none":
        node.metadata = {**(node.metadata or {}), "reset": "none"}
    nodes = NeuronNodes(node)
    if mode == "subtract" and getattr(module, "reset_delay", True):
        late_subtraction(nodes, beta, threshold, shape, alpha, gain)
    factor = numbers(module.graded_spikes_factor, ())
    if factor != 1:
        raise UserError(f"graded_spikes_factor {factor:g}", remedy="scale the weights of the next layer instead")
    if hasattr(module, "recurrent"):
        _recurrent(nodes, module, shape)
    return nodes


def _recurrent(nodes: NeuronNodes, module: Any, shape: tuple[int, ...]) -> None:
    inner = module.recurrent
    if isinstance(inner, nn.Linear):
        node = nir.Affine(numbers(inner.weight, inner.weight.shape), _bias(inner))
    elif isinstance(inner, nn.Conv2d):
        node = nir.Conv2d(
            input_shape=shape[1:],
            weight=numbers(inner.weight, inner.weight.shape),
            stride=inner.stride,
            padding=inner.padding,
            dilation=inner.dilation,
            groups=inner.groups,
            bias=_bias(inner),
        )
    else:
        node = nir.Scale(numbers(inner.V, shape))
    nodes.around["recurrent"] = node
    nodes.edges += [("", "recurrent"), ("recurrent", "")]


def _bias(layer: Any) -> np.ndarray:
    size = layer.weight.shape[:1]
    return np.zeros(size) if layer.bias is None else numbers(layer.bias, size)
