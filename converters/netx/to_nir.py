"""The float network that a .net file's integers stand for, in the chip's own units: nothing is rounded in it."""

from __future__ import annotations

import nir
import numpy as np

from dalif_deploy.hw_models.chip_network.form import (
    DECAY_UNITY,
    NO_CURRENT_FILTER,
    SYNAPSE_SHIFT,
    ChipNetwork,
    HostProjection,
    Population,
    Projection,
)
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.neurons.recurrence import DT_DEFAULT

UNIT = 1 << SYNAPSE_SHIFT
NO_LEAK = 1e9  # a time constant, in steps


def integers_to_nir(network: ChipNetwork, dt: float = DT_DEFAULT) -> nir.NIRGraph:
    """NIR graph of a network that `read_net` gave; neurons keep the names of their populations.

    Raises:
        UserError: an input layer that filters its current.
    """
    (chip_input,) = network.inputs.values()
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array(chip_input.shape)})}
    edges: list[tuple[str, str]] = []
    for host in network.host_projections.values():
        label = f"{host.target}.{'dense' if host.geometry is None else 'conv'}"
        nodes[label] = _host(network, host)
        edges += [("input", label), (label, host.target)]
        if _filters(network.populations[host.target]):
            raise UserError("a filtered current at the input", where=host.target, remedy="export it without neurons")
    for name, population in network.populations.items():
        for index, projection in enumerate(network.incoming(name)):
            # the layer's bias comes with the first of its projections; a filtered current must not filter it too
            here = index == 0 and not _bias_in_neuron(population)
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


def _host(network: ChipNetwork, host: HostProjection) -> nir.NIRNode:
    """What feeds the neurons of an input layer."""
    if host.geometry is None:
        return nir.Affine(host.weight, host.bias)
    g, source = host.geometry, network.source_shape(host.source)
    return nir.Conv2d(source[1:], host.weight, g.stride, g.padding, g.dilation, g.groups, host.bias)


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
    node = nir.Conv2d(source[1:], weight, g.stride, g.padding, g.dilation, g.groups, channel[:, 0])
    return [*chain, ("conv", node)]


def _neuron(population: Population, dt: float) -> nir.NIRNode:
    def full(value: np.ndarray | float) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), population.shape).copy()

    du, dv, vth = (
        np.asarray(register, dtype=np.float64) for register in (population.du, population.dv, population.vth)
    )
    steps = full(np.where(dv > 0, DECAY_UNITY / np.maximum(dv, 1), NO_LEAK))
    fires = {"v_threshold": full(vth * UNIT), "v_reset": full(0.0)} if population.fires else {}
    bias = steps * population.bias if _bias_in_neuron(population) else full(0.0)
    if _filters(population):
        synapse = full(DECAY_UNITY / (du + 1))
        kind = nir.CubaLIF if population.fires else nir.CubaLI
        return kind(tau_syn=dt * synapse, tau_mem=dt * steps, r=steps, v_leak=bias, w_in=synapse, **fires)
    if not dv.any() and not bias.any():
        return (nir.IF if population.fires else nir.I)(r=full(1 / dt), **fires)
    kind = nir.LIF if population.fires else nir.LI
    return kind(tau=dt * steps, r=steps, v_leak=bias, **fires)


def _filters(population: Population) -> bool:
    return bool((population.du != NO_CURRENT_FILTER).any())


def _bias_in_neuron(population: Population) -> bool:
    """Whether its synapses can't carry the bias: a filter is between, or a convolution has one for each neuron."""
    bias = np.broadcast_to(population.bias, population.shape).reshape(population.shape[0], -1)
    return _filters(population) or bool((bias != bias[:, :1]).any())
