"""Neurons that are read by their membrane and never fire, however they are built."""

from __future__ import annotations

import nir

from dalif_deploy.hw_models.errors import UserError

from .decision import Decision
from .population import NeuronNodes, Population
from .values import NeuronValue, Operation, Value


def with_readout(p: Population, nodes: NeuronNodes, populations: list[Population], decision: Decision) -> NeuronNodes:
    """The nodes of a layer; of one without reset, an integrator, if only its membrane is read.

    Raises:
        UserError: a layer that fires and does not reset.
    """
    if (getattr(nodes.neuron, "metadata", None) or {}).get("reset") != "none":
        return nodes
    base = decision.base
    read = isinstance(base, NeuronValue) and base.population is p and base.what == "membrane"
    fed = any(_uses(q.inputs[-1], p) for q in populations)
    if not read or fed:
        raise UserError(
            "neurons that fire and do not reset (reset_mechanism='none'); each spike resets a neuron of the chip",
            where=p.name,
            remedy="return the membrane of the last layer instead of its spikes, or train with reset_mechanism='zero'",
        )
    nodes.neuron = _integrator(nodes.neuron)
    p.reads_membrane = True
    return nodes


def _integrator(node: nir.NIRNode) -> nir.NIRNode:
    if isinstance(node, nir.CubaLIF):
        return nir.CubaLI(tau_syn=node.tau_syn, tau_mem=node.tau_mem, r=node.r, v_leak=node.v_leak, w_in=node.w_in)
    if isinstance(node, nir.IF):
        return nir.I(r=node.r)
    return nir.LI(tau=node.tau, r=node.r, v_leak=node.v_leak)


def _uses(value: Value, p: Population) -> bool:
    if isinstance(value, NeuronValue):
        return value.population is p
    return isinstance(value, Operation) and any(_uses(v, p) for v in value.inputs)
