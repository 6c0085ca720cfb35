"""Finds the populations of a flat graph and every linear chain that drives them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import nir
import numpy as np

from ..chip_network.form import ChipOutput, OutputMode, OverTime
from ..errors import UserError
from ..graph.decision_rule import BEFORE_RESET, DecisionRule, decision_rule
from ..graph.flat_graph import FlatGraph
from ..neurons import NEURONS, NeuronDynamics, neuron_dynamics
from ..neurons.recurrence import compact
from .fold_linear import (
    Constant,
    LinearMap,
    append_node,
    append_to_constant,
    fitted,
    identity,
    node_constant,
    scaled,
)


@dataclass
class Drive:
    """One linear chain into a population; gains of the population are already in `map`.

    Attributes:
        constant: True where the source fires at each step, so that the synapses carry a bias.
    """

    name: str
    source: str
    map: LinearMap
    constant: bool = False


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
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class FloatNetwork:
    """Populations and outputs of a graph."""

    inputs: dict[str, tuple[int, ...]]
    populations: dict[str, FloatPopulation]
    outputs: dict[str, ChipOutput]


SAME_GAIN = 1e-6  # relative

_INTEGRATOR = NeuronDynamics(np.array(1.0), np.array(1.0), np.array(0.0))
_NO_MEMORY = NeuronDynamics(np.array(0.0), np.array(1.0), np.array(0.0))
_ALWAYS_FIRES = NeuronDynamics(np.array(1.0), np.array(1.0), np.array(0.0), threshold=np.array(0.0))


def find_populations(flat: FlatGraph, dt: float) -> FloatNetwork:
    """Every neuron node becomes a population; a linear chain that ends in an Output gets a readout.

    The readout integrates, or forgets each step where the graph's decision rule takes the maximum or the last step.

    Raises:
        UserError: a neuron without threshold feeds another layer (its analog value can't travel as spikes), a
            decision rule that no chip can read.
    """
    network = FloatNetwork({n: flat.shapes[n] for n in flat.inputs}, {}, {})
    for name in flat.order():
        node = flat.nodes[name]
        if flat.is_neuron(name):
            population = FloatPopulation(
                name,
                flat.shapes[name],
                neuron_dynamics(name, node, dt),
                fires=NEURONS[type(node)].spikes,
                metadata=dict(node.metadata or {}),
            )
            _drive(network, population, flat, name, dt)
            network.populations[name] = population
    rule = decision_rule(flat)
    for name in flat.outputs:
        network.outputs[name] = _output(network, flat, name, dt, rule)
    analog = [d.source for p in network.populations.values() for d in p.drives if d.source in network.populations]
    for source in analog:
        if not network.populations[source].fires:
            raise UserError(
                "a neuron without a threshold drives another layer, but only spikes travel on the chip",
                where=source,
                remedy="give it a threshold, or end the network there",
            )
    return network


def _output(network: FloatNetwork, flat: FlatGraph, name: str, dt: float, rule: DecisionRule | None) -> ChipOutput:
    over_time = None if rule is None else rule.over_time
    if rule is not None and rule.reads_membrane:
        return _membrane_output(name, network.populations[rule.of], rule)
    before = flat.predecessors(name)
    while len(before) == 1 and isinstance(flat.nodes[before[0]], nir.Output):  # of a nested graph: passes on
        before = flat.predecessors(before[0])
    if len(before) == 1 and before[0] in network.populations:
        population = network.populations[before[0]]
        if population.dynamics.max_spikes > 1 and over_time == "max":
            raise UserError(
                "the most spikes of a step decide; spikes are counted over a sample",
                where=population.name,
                remedy="sum the spikes over time",
            )
        return ChipOutput(name, population.name, "count" if population.fires else "membrane", over_time)
    last = before[0] if len(before) == 1 and not isinstance(flat.nodes[before[0]], nir.Input | nir.Output) else name
    # the last membrane of an integrator is the sum of what arrived
    each_step = over_time in ("max", "last")
    readout = FloatPopulation(last, flat.shapes[name], _NO_MEMORY if each_step else _INTEGRATOR, fires=False)
    _drive(network, readout, flat, name, dt)
    network.populations[readout.name] = readout
    over: dict[str | None, OverTime | None] = {"sum": "last", "max": "max", "last": "last"}
    return ChipOutput(name, readout.name, "membrane", over.get(over_time))


def _membrane_output(name: str, population: FloatPopulation, rule: DecisionRule) -> ChipOutput:
    d = population.dynamics
    zero = np.unique(d.reset_value)
    if len(zero) > 1:
        raise UserError(
            "the class is read from its membranes, but each neuron resets to its own value",
            where=population.name,
            remedy="train with one reset value per layer",
        )
    if rule.what == BEFORE_RESET and d.reset != "subtract":
        raise UserError(
            "the class is read from the membrane before a reset to zero, which the chip does not keep",
            where=population.name,
            remedy="return the layer's spikes, or train with reset_mechanism='subtract' or 'none'; or use --target nir",
        )
    mode: OutputMode = "membrane_before_reset" if rule.what == BEFORE_RESET and population.fires else "membrane"
    return ChipOutput(name, population.name, mode, rule.over_time, float(zero[0]))


def _drive(network: FloatNetwork, population: FloatPopulation, flat: FlatGraph, node: str, dt: float) -> None:
    d = population.dynamics
    gain = _without_rounding(d.gain if d.syn_gain is None else d.gain * d.syn_gain)
    offset = d.offset + (d.beta - 1) * d.reset_value  # the membrane is counted from the reset value
    population.bias = np.asarray(offset, dtype=np.float64)
    chains, constants = _arriving(flat, node, dt)
    taken: Counter[str] = Counter()
    for source, chain in sorted(chains, key=lambda pair: (pair[0], pair[1].nodes, pair[1].delay)):
        chain = fitted(scaled(chain, np.asarray(gain, dtype=np.float64)), node)
        base = next((n for n in reversed(chain.nodes) if not isinstance(flat.nodes[n], nir.Flatten | nir.Delay)), None)
        base = base or f"{source}_to_{population.name}"
        if base == population.name or (base in flat.nodes and flat.is_neuron(base)):
            base = f"{base}.synapses"
        taken[base] += 1
        label = base if taken[base] == 1 else f"{base}.{source}" + (f".{taken[base]}" if taken[base] > 2 else "")
        population.drives.append(
            Drive(
                label,
                source,
                LinearMap(chain.in_shape, population.shape, chain.weight, chain.geometry, chain.delay, chain.nodes),
            )
        )
    by_start: dict[int, np.ndarray] = {}
    for constant in constants:
        values = np.broadcast_to(constant.value.reshape(population.shape) * gain, population.shape)
        by_start[constant.start] = by_start.get(constant.start, 0.0) + values
    for start, values in sorted(by_start.items()):
        if start == 0 and d.syn_beta is None:
            population.bias = compact(population.bias + values)
        elif np.any(values):
            _add_constant_drive(network, population, start, values)


def _without_rounding(gain: np.ndarray) -> np.ndarray:
    """The gain with one value a channel, or one alone, where entries differ by float32's rounding only.

    r and tau are a neuron's own, and their quotient is rounded; taken at its word it would write convolutions out.
    """
    gain = np.asarray(gain, dtype=np.float64)
    first = gain[(slice(None), *[slice(0, 1)] * (gain.ndim - 1))] if gain.ndim > 1 else gain
    per_channel = first if np.allclose(gain, first, rtol=SAME_GAIN, atol=0) else gain
    one = per_channel.flat[0] if per_channel.size else 0.0
    return np.array(one) if np.allclose(per_channel, one, rtol=SAME_GAIN, atol=0) else per_channel


def _add_constant_drive(network: FloatNetwork, population: FloatPopulation, start: int, values: np.ndarray) -> None:
    """A bias that is filtered by a synaptic current, or that starts late: synapses from a neuron that always fires.

    The chip's bias registers act on the membrane, and from the first step on.
    """
    source = f"{population.name}.bias"
    if source not in network.populations:
        network.populations[source] = FloatPopulation(source, (1,), _ALWAYS_FIRES, bias=np.array(1.0))
    name = f"{source}.synapses" if start == 0 else f"{source}.synapses.{start}"
    weight = values.reshape(-1, 1)
    population.drives.append(
        Drive(name, source, LinearMap((1,), population.shape, weight, None, start, (name,)), constant=True)
    )


def _arriving(flat: FlatGraph, node: str, dt: float) -> tuple[list[tuple[str, LinearMap]], list[Constant]]:
    """Every way back from `node` through linear nodes to a population or an input, and what biases on it add up to."""
    found, constants = [], []
    for before in flat.predecessors(node):
        if flat.is_neuron(before) or before in flat.inputs:
            loop = 1 if (before, node) in flat.back_edges else 0
            found.append((before, replace(identity(flat.shapes[before]), delay=loop)))
            continue
        chains, passing = _arriving(flat, before, dt)
        found += [(source, longer) for source, chain in chains for longer in append_node(chain, before, flat, dt)]
        constants += [later for each in passing for later in append_to_constant(each, before, flat, dt)]
        own = node_constant(before, flat)
        if own is not None:
            constants.append(own)
    return found, constants
