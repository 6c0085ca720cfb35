"""sinabs' neurons, over [N, T, ...] or squeezed [N * T, ...]. They fire on the threshold itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.chip_network.form import MOST_SPIKES
from dalif_deploy.hw_models.errors import UserError

from ..neuron_nodes import DT, below, leaky, numbers
from ..population import Neuron, NeuronCall, NeuronNodes, UnknownNeuronError

KNOWN = ("IAF", "LIF", "ExpLeak", "IAFSqueeze", "LIFSqueeze", "ExpLeakSqueeze", "IAFRecurrent", "LIFRecurrent")


def neuron(name: str, module: nn.Module) -> Neuron | None:
    """How a module of sinabs is called, None if it is none of its neurons."""
    from sinabs.layers import StatefulLayer
    from sinabs.layers.reshape import SqueezeMixin

    if not isinstance(module, StatefulLayer):
        return None
    kind = type(module).__name__
    if kind not in KNOWN:
        raise UnknownNeuronError(
            f"sinabs' {kind} has states or a reset that a neuron of the chip does not have",
            where=name,
            remedy=f"use one of {', '.join(KNOWN)}",
        )
    _check(name, module)
    squeezed = isinstance(module, SqueezeMixin)
    seen = _Seen()
    return Neuron(
        _call(name, module, squeezed, seen),
        lambda shape: _nodes(module, shape, _most_spikes(module, seen)),
        time_axis="squeezed" if squeezed else 1,
        fires=module.spike_fn is not None,
    )


def reset(model: nn.Module) -> None:
    """All states back to rest."""
    from sinabs.layers import StatefulLayer

    for module in model.modules():
        if isinstance(module, StatefulLayer):
            for key, buffer in module.named_buffers(recurse=False):
                module.register_buffer(key, torch.zeros_like(buffer.detach()))


def prepare(model: nn.Module, steps: int) -> None:
    """Squeezing layers split [N * T, ...] by the steps, whatever batch they were built for."""
    from sinabs.layers.reshape import SqueezeMixin

    for module in model.modules():
        if isinstance(module, SqueezeMixin):
            module.batch_size, module.num_timesteps = -1, steps


def with_time(model: nn.Module, example: torch.Tensor) -> torch.Tensor | None:
    """[N, T, *shape] of what squeezing layers take, [N * T, *shape]."""
    from sinabs.layers.reshape import SqueezeMixin

    module: Any
    for module in model.modules():
        if isinstance(module, SqueezeMixin):
            batch, steps = module.batch_size, module.num_timesteps
            if steps > 1 and len(example) % steps == 0:
                split: torch.Tensor = example.unflatten(0, (-1, steps))
                return split
            if batch > 0 and len(example) % batch == 0 and len(example) > batch:
                split = example.unflatten(0, (batch, -1))
                return split
            return None
    return None


def _check(name: str, module: Any) -> None:
    from sinabs.activation import MembraneReset, MembraneSubtract

    if module.spike_fn is None:
        return
    reset_fn = module.reset_fn
    if isinstance(reset_fn, MembraneReset) or (
        isinstance(reset_fn, MembraneSubtract)
        and (reset_fn.subtract_value is None or float(reset_fn.subtract_value) == float(module.spike_threshold))
    ):
        return
    raise UserError(
        "a reset other than to a value or by the threshold",
        where=name,
        remedy="use MembraneReset or MembraneSubtract()",
    )


@dataclass
class _Seen:
    """Most spikes of a neuron in one step so far."""

    most: int = 0


def _most_spikes(module: Any, seen: _Seen) -> int:
    """What the chip's neurons send at most: as the module says, or at least twice what was seen, in whole bits."""
    if seen.most <= 1:
        return 1
    limit = getattr(module.spike_fn, "max_num_spikes_per_bin", None)
    return min(MOST_SPIKES, int(limit) if limit is not None else (1 << (2 * seen.most).bit_length()) - 1)


def _call(name: str, module: Any, squeezed: bool, seen: _Seen) -> Callable[..., NeuronCall]:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NeuronCall:
        x = args[0]
        recorded = module.record_states
        module.record_states = True
        output = module.forward(x)
        # what a recurrent layer records, the next step has changed already
        membranes = None if hasattr(module, "rec_connect") else module.recordings["v_mem"]
        module.record_states = recorded
        if module.spike_fn is not None:
            seen.most = max(seen.most, int(output.max()))
        if seen.most > MOST_SPIKES:
            raise UserError(
                f"fires {seen.most} spikes in one step; a neuron of the chip sends {MOST_SPIKES} at most",
                where=name,
                remedy="train with spike_fn=SingleSpike, or weaker weights",
            )
        if squeezed and membranes is not None:
            membranes = membranes.reshape(-1, *membranes.shape[2:])
        return NeuronCall(output, x, output, membranes, notes=_notes(module, seen))

    return call


def _notes(module: Any, seen: _Seen) -> tuple[str, ...]:
    from sinabs.activation import SingleSpike

    if module.spike_fn in (None, SingleSpike):
        return ()
    if seen.most <= 1:
        return ("may fire several times a step and never did on these samples; the chip fires once",)
    most = _most_spikes(module, seen)
    return (f"fired up to {seen.most} times a step on these samples; the chip sends up to {most}",)


def _nodes(module: Any, shape: tuple[int, ...], most: int) -> NeuronNodes:
    from sinabs.activation import MembraneReset

    beta = torch.as_tensor(module.alpha_mem_calculated).detach()
    alpha = module.alpha_syn_calculated if module.tau_syn_calculated is not None else None
    gain = (1 - beta) if module.norm_input else 1.0
    fires = module.spike_fn is not None
    hard = fires and isinstance(module.reset_fn, MembraneReset)
    node = leaky(
        shape,
        beta=beta,
        gain=gain,
        threshold=below(numbers(module.spike_threshold, shape)) if fires else None,
        reset="zero" if hard else "subtract",
        v_reset=module.reset_fn.reset_value if hard else 0.0,
        synapse=None if alpha is None else (alpha, alpha),
        lowest=module.min_v_mem,
        max_spikes=most,
        start=0.0 if hard and module.reset_fn.reset_value else None,
    )
    nodes = NeuronNodes(node)
    if hasattr(module, "rec_connect"):
        _recurrent(nodes, module.rec_connect, shape)
    return nodes


def _recurrent(nodes: NeuronNodes, connect: nn.Module, shape: tuple[int, ...]) -> None:
    layers = [
        m for m in connect.modules() if not isinstance(m, nn.Sequential | nn.Flatten | nn.Unflatten | nn.Identity)
    ]
    if len(layers) != 1 or not isinstance(layers[0], nn.Linear) or len(shape) != 1:
        raise UserError("a recurrent connection that is not one Linear layer", remedy="use rec_connect=nn.Linear(n, n)")
    layer: Any = layers[0]
    weight = numbers(layer.weight, tuple(layer.weight.shape))
    nodes.around["recurrent"] = nir.Linear(weight)
    nodes.edges += [("", "recurrent"), ("recurrent", "")]
    if layer.bias is not None:  # it comes with what the step before sent, and so not in the first step
        bias = numbers(layer.bias, tuple(layer.bias.shape))
        nodes.around["recurrent_bias"] = nir.Affine(np.zeros_like(weight), bias)
        nodes.around["recurrent_bias_late"] = nir.Delay(np.full(shape, DT))
        nodes.edges += [("", "recurrent_bias"), ("recurrent_bias", "recurrent_bias_late"), ("recurrent_bias_late", "")]
