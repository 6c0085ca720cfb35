"""sinabs' neurons, over [N, T, ...] or squeezed [N * T, ...]. They fire on the threshold itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

from ..neuron_nodes import below, leaky, numbers
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
    return Neuron(
        _call(name, module, squeezed),
        lambda shape: _nodes(module, shape),
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


def _call(name: str, module: Any, squeezed: bool) -> Callable[..., NeuronCall]:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NeuronCall:
        x = args[0]
        recorded = module.record_states
        module.record_states = True
        output = module.forward(x)
        # what a recurrent layer records, the next step has changed already
        membranes = None if hasattr(module, "rec_connect") else module.recordings["v_mem"]
        module.record_states = recorded
        if module.spike_fn is not None and bool((output > 1).any()):
            raise UserError(
                f"fires up to {int(output.max())} spikes in one step; a neuron on the chip fires once",
                where=name,
                remedy="train with spike_fn=SingleSpike, or weaker weights",
            )
        if squeezed and membranes is not None:
            membranes = membranes.reshape(-1, *membranes.shape[2:])
        return NeuronCall(output, x, output, membranes, notes=_notes(module))

    return call


def _notes(module: Any) -> tuple[str, ...]:
    from sinabs.activation import MultiSpike

    notes = []
    if module.spike_fn is MultiSpike or isinstance(module.spike_fn, MultiSpike):
        notes.append("may fire several times a step and never did on these samples; the chip fires once")
    return tuple(notes)


def _nodes(module: Any, shape: tuple[int, ...]) -> NeuronNodes:
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
    bias = layer.bias
    nodes.around["recurrent"] = (
        nir.Linear(weight) if bias is None else nir.Affine(weight, numbers(bias, tuple(bias.shape)))
    )
    nodes.edges += [("", "recurrent"), ("recurrent", "")]
