"""Finds the populations of a flat graph and every linear chain that drives them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import nir
import numpy as np

from hw_models.compiler.fold_linear import LinearMap, append_node, identity, materialized
from hw_models.errors import UserError
from hw_models.graph.flat_graph import NEURONS, SPIKING, FlatGraph
from hw_models.graph.neuron_dynamics import NeuronDynamics, neuron_dynamics


@dataclass
class Drive:
    """One linear chain into a population; gains of the population are already in `map`."""

    name: str
    source: str
    map: LinearMap


@dataclass
class FloatPopulation:
    """A population with real-valued parameters.

    Attributes:
        node: name of the NIR node, or of the last linear node for a readout that the compiler adds.
        bias: constant input of each step, in membrane units, broadcastable against `shape`.
        fires: False where the membrane itself is read.
    """

    name: str
    shape: tuple[int, ...]
    dynamics: NeuronDynamics
    drives: list[Drive] = field(default_factory=list)
    bias: np.ndarray = field(default_factory=lambda: np.array(0.0))
    fires: bool = True
    metadata: dict = field(default_factory=dict)


@dataclass
class FloatNetwork:
    """Populations and outputs of a graph; `outputs` maps an Output node to (population, "membrane" or "count")."""

    inputs: dict[str, tuple[int, ...]]
    populations: dict[str, FloatPopulation]
    outputs: dict[str, tuple[str, str]]


_INTEGRATOR = NeuronDynamics(np.array(1.0), np.array(1.0), np.array(0.0), None, None, None, np.array(0.0), "zero")


def find_populations(flat: FlatGraph, dt: float) -> FloatNetwork:
    """Every neuron node becomes a population; a linear chain that ends in an Output gets an integrating readout.

    Raises:
        UserError: a neuron without threshold feeds another layer (its analog value can't travel as spikes).
    """
    network = FloatNetwork({n: flat.shapes[n] for n in flat.inputs}, {}, {})
    for name in flat.order():
        node = flat.nodes[name]
        if isinstance(node, NEURONS):
            population = FloatPopulation(
                name,
                flat.shapes[name],
                neuron_dynamics(name, node, dt),
                fires=isinstance(node, SPIKING),
                metadata=dict(node.metadata or {}),
            )
            _drive(population, flat, name, dt)
            network.populations[name] = population
    for name in flat.outputs:
        network.outputs[name] = _output(network, flat, name, dt)
    analog = [d.source for p in network.populations.values() for d in p.drives if d.source in network.populations]
    for source in analog:
        if not network.populations[source].fires:
            raise UserError(
                "a neuron without threshold drives another layer; only spikes travel on the chip",
                where=source,
                remedy="give it a threshold, or end the network there",
            )
    return network


def _output(network: FloatNetwork, flat: FlatGraph, name: str, dt: float) -> tuple[str, str]:
    before = flat.predecessors(name)
    if len(before) == 1 and before[0] in network.populations:
        population = network.populations[before[0]]
        return population.name, "count" if population.fires else "membrane"
    last = before[0] if len(before) == 1 and not isinstance(flat.nodes[before[0]], nir.Input | nir.Output) else name
    readout = FloatPopulation(last, flat.shapes[name], _INTEGRATOR, fires=False)
    _drive(readout, flat, name, dt)
    network.populations[readout.name] = readout
    return readout.name, "membrane"


def _drive(population: FloatPopulation, flat: FlatGraph, node: str, dt: float) -> None:
    d = population.dynamics
    gain = d.gain if d.syn_gain is None else d.gain * d.syn_gain
    offset = d.offset + (d.beta - 1) * d.reset_value  # the membrane is counted from the reset value
    population.bias = np.asarray(offset, dtype=np.float64)
    taken: Counter[str] = Counter()
    for source, chain in sorted(_chains(flat, node, dt), key=lambda pair: (pair[0], pair[1].nodes)):
        chain = materialized(chain, node)
        if chain.bias is not None:
            if d.syn_beta is not None and np.any(chain.bias):
                raise UserError(
                    "a bias before a synaptic current is filtered by it; the chip adds bias to the membrane",
                    where=node,
                    remedy="train this layer without bias, or use LIF",
                )
            population.bias = population.bias + chain.bias * gain
        weight = _gained(chain, gain, population.shape, node)
        base = next((n for n in reversed(chain.nodes) if not isinstance(flat.nodes[n], nir.Flatten | nir.Delay)), None)
        base = base or f"{source}_to_{population.name}"
        if base == population.name or (base in flat.nodes and isinstance(flat.nodes[base], NEURONS)):
            base = f"{base}.synapses"
        taken[base] += 1
        label = base if taken[base] == 1 else f"{base}.{source}"
        population.drives.append(
            Drive(
                label,
                source,
                LinearMap(chain.in_shape, population.shape, weight, chain.geometry, None, chain.delay, chain.nodes),
            )
        )


def _gained(chain: LinearMap, gain: np.ndarray, shape: tuple[int, ...], node: str) -> np.ndarray:
    gain = np.asarray(gain, dtype=np.float64)
    if gain.ndim == 0:
        return chain.weight * gain
    rows = np.broadcast_to(gain, shape)
    if chain.geometry is not None:
        if gain.size != len(gain):
            raise UserError(
                "r, w_in or tau differ within a channel, behind a convolution",
                where=node,
                remedy="use one value a channel",
            )
        rows = gain
    return chain.weight * rows.reshape(-1, *[1] * (chain.weight.ndim - 1))


def _chains(flat: FlatGraph, node: str, dt: float) -> list[tuple[str, LinearMap]]:
    """Every way back from `node` through linear nodes to a population or an input."""
    found = []
    for before in flat.predecessors(node):
        loop = 1 if (before, node) in flat.back_edges else 0
        if isinstance(flat.nodes[before], NEURONS) or before in flat.inputs:
            start = identity(flat.shapes[before])
            found.append((before, _delayed(start, loop)))
        else:
            found += [
                (source, append_node(_delayed(chain, loop), before, flat, dt))
                for source, chain in _chains(flat, before, dt)
            ]
    return found


def _delayed(chain: LinearMap, steps: int) -> LinearMap:
    return replace(chain, delay=chain.delay + steps) if steps else chain
