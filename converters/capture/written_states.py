"""Inputs of neurons brought to one form a step: synaptic currents that are written out, and inputs that come late."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

from dalif_deploy.hw_models.errors import UserError

from .arithmetic import affine
from .expansion import Expansions, at_rest
from .filters import has_constants, written_filter
from .fold import Signatures, looks_back
from .neuron_nodes import DT
from .population import NeuronNodes, Population
from .values import Operation, Still, Value


def settle_states(populations: list[Population], steps: int) -> None:
    """Reads synaptic currents off the inputs of each population, and says where its membrane started.

    A population whose inputs are neither alike nor a filter is left as it is: `fold` says what differs.
    """
    expansions, signatures = Expansions(), Signatures()
    for p in populations:
        if len(p.inputs) != steps or steps < 2:
            continue
        template, first = p.inputs[-1], p.inputs[p.late]
        held = np.zeros(())
        if p.written and p.late < steps - 1 and not _zero(p.decay):
            # the first constant is of the input, and of what the membrane held before
            always = _constant(template)
            held = _constant(first) - always
            p.inputs[p.late] = affine(p.name, first, np.asarray(1.0), -held)
        if _alike(p, signatures, expansions):
            _come_late(p, template, held, expansions)
            continue
        p.inputs[p.late] = first
        found = written_filter(p.inputs, p.shape, p.name, expansions, p.late if p.written else None)
        if found is None or len(found.decays) > 1 or (not _zero(found.offset) and not p.written):
            continue
        if found.decays:
            (p.synapse,), p.offset = found.decays, found.offset
            if not _zero(p.offset) and np.any(p.decay == 1):
                continue
        p.inputs, p.folded = found.inputs, True
        if p.written and not _zero(p.decay):
            charged = sum((p.decay ** (p.late - j) * found.at_rest[j] for j in range(p.late + 1)), np.zeros(()))
            held = at_rest(first) - charged
            if not _zero(held):
                p.start = held / p.decay ** (p.late + 1)


def _zero(values: Any) -> bool:
    return bool(np.all(np.abs(values) < 1e-10))


def _constant(value: Value) -> np.ndarray:
    """The constant that is added to an input."""
    shift = value.parameters["shift"] if isinstance(value, Operation) and value.kind == "affine" else 0.0
    return np.asarray(shift, dtype=np.float64)


def _alike(p: Population, signatures: Signatures, expansions: Expansions) -> bool:
    last = len(p.inputs) - 1
    if len(expansions.steps(p.inputs[last])) > 3:  # a state, which is of all steps before
        return False
    form, back = signatures(p.inputs[last], last), looks_back(p.inputs[last], last)
    return all(
        signatures(each, step) == form
        for step, each in enumerate(p.inputs)
        if (step > p.late or not back) and not isinstance(each, Still)
    )


def _come_late(p: Population, template: Value, held: np.ndarray, expansions: Expansions) -> None:
    """An input of steps before comes with a delay, and its bias as late as the module's did."""
    last = len(p.inputs) - 1
    when = expansions.steps(template)
    lag = last - max(when) if when else p.late
    begins = 0
    if p.late:
        bias = at_rest(template)
        sums = [sum((bias * p.decay**j for j in range(1, p.late - m + 1)), 0.0 * bias) for m in range(p.late + 1)]
        fits = [m for m, each in enumerate(sums) if np.allclose(each, held, rtol=1e-9, atol=1e-12)]
        begins = fits[0] if fits and np.any(bias) else lag if np.any(bias) else 0
        held = held - sums[min(begins, p.late)]
    if p.written and not _zero(held) and not _zero(p.decay):
        p.start = held / p.decay ** (p.late + 1)
    if lag and (not when or (begins and has_constants(template))):
        p.inputs = [
            Still(p.shape) if step < lag or isinstance(each, Still) else _delayed(p, each, lag)
            for step, each in enumerate(p.inputs)
        ]
        p.folded = True


def _delayed(p: Population, value: Value, steps: int) -> Value:
    return Operation(p.shape, "delay", p.name, (value,), {"steps": steps})


def with_synapse(p: Population, nodes: NeuronNodes) -> NeuronNodes:
    """The nodes of a layer behind a synaptic current that its forward writes out.

    Raises:
        UserError: a neuron that has a current of its own already, or feedback onto itself.
    """
    node = nodes.neuron
    if p.synapse is None or isinstance(node, nir.CubaLIF | nir.CubaLI):
        return nodes
    if nodes.around or not isinstance(node, nir.LIF | nir.IF):
        raise UserError(
            "a synaptic current written out before a neuron that feeds back onto itself, or has a current of its own",
            where=p.name,
            remedy="use the framework's neuron with a synaptic current",
        )
    shape = p.shape
    tau_syn = np.broadcast_to(DT / np.maximum(1 - np.asarray(p.synapse), 1e-18), shape).copy()
    tau = node.tau if isinstance(node, nir.LIF) else np.full(shape, DT / 1e-18)
    r = node.r if isinstance(node, nir.LIF) else node.r * tau
    leak = node.v_leak if isinstance(node, nir.LIF) else np.zeros(shape)
    nodes.neuron = nir.CubaLIF(
        tau_syn=tau_syn, tau_mem=tau, r=r, v_leak=leak, v_threshold=node.v_threshold, v_reset=node.v_reset,
        w_in=tau_syn / DT, metadata=node.metadata,
    )  # fmt: skip
    return nodes
