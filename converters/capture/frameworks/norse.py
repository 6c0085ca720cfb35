"""Norse's cells, one step or all steps a call; their state goes in and out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import nir
import torch

from ..neuron_nodes import leaky, numbers
from ..population import Neuron, NeuronCall, NeuronNodes, UnknownNeuronError

CELLS = {
    "LIFCell": "lif", "LIF": "lif", "LIFRecurrentCell": "lif", "LIFRecurrent": "lif",
    "LIFBoxCell": "box", "LIBoxCell": "libox",
    "LICell": "li", "LI": "li",
    "IAFCell": "iaf", "IAF": "iaf",
    "LIFRefracCell": "refractory", "LIFRefracRecurrentCell": "refractory",
}  # fmt: skip


def neuron(name: str, module: Any) -> Neuron | None:
    """How a module of Norse is called, None if it is none of its neurons."""
    from norse.torch.module import snn
    from norse.torch.module.encode import ConstantCurrentLIFEncoder

    if isinstance(module, ConstantCurrentLIFEncoder):
        return Neuron(
            _encode(module),
            lambda shape: _nodes(module, "box", shape, 0.0),
            time_axis="made",
            steps=(None, module.seq_length),
            dt=float(module.dt),
        )
    if type(module).__name__ == "LILinearCell":
        return Neuron(_call(module, False), lambda shape: _nodes(module, "li", shape), fires=False, dt=float(module.dt))
    whole = isinstance(module, snn.SNN | snn.SNNRecurrent)
    cell = isinstance(module, snn.SNNCell | snn.SNNRecurrentCell)
    named = type(module).__module__.startswith("norse.") and type(module).__name__ in CELLS
    if not (whole or cell or named):
        return None
    kind = CELLS.get(type(module).__name__)
    if kind is None:
        raise UnknownNeuronError(
            f"Norse's {type(module).__name__} has states or a reset that a neuron of the chip does not have",
            where=name,
            remedy=f"use one of {', '.join(CELLS)}",
        )
    return Neuron(
        _call(module, whole),
        lambda shape: _nodes(module, kind, shape),
        time_axis=0 if whole else None,
        fires=kind not in ("li", "libox"),
        dt=float(module.dt),
    )


def _call(module: Any, whole: bool) -> Callable[..., NeuronCall]:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NeuronCall:
        x = args[0] if args else kwargs["input_tensor"]
        state = args[1] if len(args) > 1 else kwargs.get("state")
        membranes = None
        if whole and not module.record_states:
            module.record_states = True
            _, seen = module.forward(x, state)
            module.record_states = False
            membranes = seen.v
        output = module.forward(x, state)
        out, after = output
        if membranes is None:
            membranes = _tensors(after)["membrane"]
        passed = {} if state is None else _tensors(state)
        if state is None or not isinstance(state, tuple):
            passed = {}
        seen_states = _tensors(after)
        return NeuronCall(output, x, out, membranes, passed, seen_states, hidden=False)

    return call


def _encode(module: Any) -> Callable[..., NeuronCall]:
    def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NeuronCall:
        output = module.forward(args[0])
        return NeuronCall(output, args[0], output, hidden=False)

    return call


def _tensors(state: Any) -> dict[str, torch.Tensor]:
    names = {"v": "membrane", "i": "current", "rho": "refractory"}
    found = state._asdict()
    if "lif" in found:  # what a refractory time is added to
        found |= found["lif"]._asdict()
    return {names[k]: v for k, v in found.items() if k in names and isinstance(v, torch.Tensor)}


def subtracts(p: Any) -> bool:
    """True if a spike takes the threshold off the membrane."""
    from norse.torch.functional.reset import reset_subtract

    return getattr(p, "reset_method", None) is reset_subtract


def _nodes(module: Any, kind: str, shape: tuple[int, ...], start: Any = None) -> NeuronNodes:
    """`start`: the membrane before the first step, v_leak where nobody says."""
    p, dt = module.p, float(module.dt)
    refractory = 0
    if kind == "refractory":
        refractory, p, kind = math.ceil(float(p.rho_reset)), p.lif, "lif"
    start = p.v_leak if start is None and kind != "iaf" else start
    recurrent = hasattr(module, "recurrent_weights")
    subtract = subtracts(p)
    options: dict[str, Any] = {
        "threshold": None if kind in ("li", "libox") else p.v_th,
        "reset": "subtract" if subtract else "zero",
        "v_reset": getattr(p, "v_reset", 0.0),
        "start": start if kind != "iaf" else None,
        "refractory": refractory,
        "dt": dt,
    }
    if kind == "iaf":
        nodes = NeuronNodes(leaky(shape, beta=1.0, gain=1.0, **options))
    else:
        membrane = numbers(dt * p.tau_mem_inv, shape)
        synapse = None
        if kind in ("lif", "li"):
            synapse = (1 - numbers(dt * p.tau_syn_inv, shape), 1.0)
        node = leaky(shape, beta=1 - membrane, gain=membrane, rest=p.v_leak, synapse=synapse, **options)
        nodes = NeuronNodes(node)
    if type(module).__name__ == "LILinearCell":
        nodes.around["input"] = nir.Linear(numbers(module.input_weights, module.input_weights.shape))
        nodes.edges.append(("input", ""))
        nodes.entry = "input"
    if recurrent:
        weight = module.input_weights
        nodes.around["input"] = nir.Linear(numbers(weight, weight.shape))
        weight = module.recurrent_weights
        nodes.around["recurrent"] = nir.Linear(numbers(weight, weight.shape))
        nodes.edges += [("input", ""), ("", "recurrent"), ("recurrent", "")]
        nodes.entry = "input"
    return nodes
