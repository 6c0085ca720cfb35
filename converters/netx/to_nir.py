"""The float network that a .net file's integers stand for, in the chip's own units: nothing is rounded in it."""

from __future__ import annotations

import nir
import numpy as np

from hw_models.chip_network import DECAY_UNITY, NO_CURRENT_FILTER, SYNAPSE_SHIFT, ChipNetwork, Population, Projection
from hw_models.errors import UserError
from hw_models.graph.neuron_dynamics import DT_DEFAULT

UNIT = 1 << SYNAPSE_SHIFT
NO_LEAK = 1e9  # a time constant, in steps


def integers_to_nir(network: ChipNetwork, dt: float = DT_DEFAULT) -> nir.NIRGraph:
    """NIR graph of a network that `read_net` gave; neurons keep the names of their populations.

    Raises:
        UserError: a convolution with a bias for each neuron.
    """
    (chip_input,) = network.inputs.values()
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array(chip_input.shape)})}
    edges: list[tuple[str, str]] = []
    for name, population in network.populations.items():
        for index, projection in enumerate(network.incoming(name)):
            # the layer's bias comes with the first of its projections; a filtered current must not filter it too
            here = index == 0 and not _filters(population)
            bias = population.bias if here else np.zeros(1, dtype=np.int64)
            chain = _synapses(population, projection, network.source_shape(projection.source), bias, dt)
            before = projection.source
            for kind, node in chain:
                label = f"{name}.{kind}" if index == 0 else f"{name}.{kind}{index}"
                nodes[label] = node
                edges.append((before, label))
                before = label
            edges.append((before, name))
        nodes[name] = _neuron(population, dt)
    last = next(reversed(network.populations))
    nodes["output"] = nir.Output({"output": np.array(network.populations[last].shape)})
    edges.append((last, "output"))
    return nir.NIRGraph(nodes, edges, metadata={"dt": dt}, type_check=False)


def _synapses(
    population: Population, projection: Projection, source: tuple[int, ...], bias: np.ndarray, dt: float
) -> list[tuple[str, nir.NIRNode]]:
    """Nodes between a source and its target, in order."""
    weight, geometry = projection.weight.astype(np.float64) * UNIT, projection.geometry
    bias = np.broadcast_to(bias, population.shape).astype(np.float64)
    chain: list[tuple[str, nir.NIRNode]] = []
    if projection.delay:
        chain.append(("delay", nir.Delay(np.full(source, projection.delay * dt))))
    if geometry is None:
        if len(source) > 1:
            chain.append(("flatten", nir.Flatten({"input": np.array(source)}, 0, -1)))
        return [*chain, ("dense", nir.Affine(weight, bias))]
    channel, g = bias.reshape(len(weight), -1), geometry
    if (channel != channel[:, :1]).any():
        raise UserError(
            "a bias for each neuron of a convolution, which NIR has not",
            where=population.name,
            remedy="give one a channel",
        )
    node = nir.Conv2d(source[1:], weight, g.stride, g.padding, g.dilation, g.groups, channel[:, 0])
    return [*chain, ("conv", node)]


def _neuron(population: Population, dt: float) -> nir.NIRNode:
    def full(value: float) -> np.ndarray:
        return np.full(population.shape, value)

    du, dv, vth = (int(np.max(register)) for register in (population.du, population.dv, population.vth))
    steps = DECAY_UNITY / dv if dv else NO_LEAK
    fires = {"v_threshold": full(float(vth * UNIT)), "v_reset": full(0.0)} if population.fires else {}
    if _filters(population):
        bias = np.broadcast_to(population.bias, population.shape) * steps
        synapse = DECAY_UNITY / (du + 1)
        kind = nir.CubaLIF if population.fires else nir.CubaLI
        return kind(tau_syn=full(dt * synapse), tau_mem=full(dt * steps), r=full(steps), v_leak=bias,
                    w_in=full(synapse), **fires)  # fmt: skip
    if not dv:
        return (nir.IF if population.fires else nir.I)(r=full(1 / dt), **fires)
    kind = nir.LIF if population.fires else nir.LI
    return kind(tau=full(dt * steps), r=full(steps), v_leak=full(0.0), **fires)


def _filters(population: Population) -> bool:
    return int(np.max(population.du)) != NO_CURRENT_FILTER
