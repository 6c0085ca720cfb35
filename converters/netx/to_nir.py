"""The float network that a chain of chip integers stands for, in the chip's own units: nothing is rounded in it."""

from __future__ import annotations

import nir
import numpy as np

from converters.netx.layers import NetLayer, chain_of
from hw_models.chip_network import DECAY_UNITY, NO_CURRENT_FILTER, SYNAPSE_SHIFT, ChipNetwork
from hw_models.errors import UserError
from hw_models.graph.neuron_dynamics import DT_DEFAULT

UNIT = 1 << SYNAPSE_SHIFT
NO_LEAK = 1e9  # a time constant, in steps


def chain_to_nir(network: ChipNetwork, dt: float = DT_DEFAULT) -> nir.NIRGraph:
    """NIR graph of a chain; neurons keep the names of their populations.

    Raises:
        UserError: see `chain_of`.
    """
    (chip_input,) = network.inputs.values()
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array(chip_input.shape)})}
    edges, before, shape = [], "input", chip_input.shape

    def follow(name: str, node: nir.NIRNode) -> None:
        nonlocal before
        nodes[name] = node
        edges.append((before, name))
        before = name

    for layer in chain_of(network, delays=True):
        name, projection, geometry = layer.population.name, layer.projection, layer.projection.geometry
        weight = projection.weight.astype(np.float64) * UNIT
        bias = np.broadcast_to(layer.population.bias, layer.population.shape).astype(np.float64)
        if projection.delay:
            follow(f"{name}.delay", nir.Delay(np.full(shape, projection.delay * dt)))
        if geometry is None:
            if len(shape) > 1:
                follow(f"{name}.flatten", nir.Flatten({"input": np.array(shape)}, 0, -1))
            follow(f"{name}.dense", nir.Affine(weight, bias))
        else:
            channel, g = bias.reshape(len(weight), -1), geometry
            if (channel != channel[:, :1]).any():
                raise UserError(
                    "a bias for each neuron of a convolution, which NIR has not",
                    where=name,
                    remedy="write one a channel",
                )
            node = nir.Conv2d(shape[1:], weight, g.stride, g.padding, g.dilation, g.groups, channel[:, 0])
            follow(f"{name}.conv", node)
        follow(name, _neuron(layer, dt))
        shape = layer.population.shape
    follow("output", nir.Output({"output": np.array(shape)}))
    return nir.NIRGraph(nodes, edges, metadata={"dt": dt}, type_check=False)


def _neuron(layer: NetLayer, dt: float) -> nir.NIRNode:
    population = layer.population

    def full(value: float) -> np.ndarray:
        return np.full(population.shape, value)

    du, dv, vth = (int(np.max(register)) for register in (population.du, population.dv, population.vth))
    steps = DECAY_UNITY / dv if dv else NO_LEAK
    fires = {"v_threshold": full(float(vth * UNIT)), "v_reset": full(0.0)} if population.fires else {}
    if du != NO_CURRENT_FILTER:
        synapse = DECAY_UNITY / (du + 1)
        kind = nir.CubaLIF if population.fires else nir.CubaLI
        return kind(tau_syn=full(dt * synapse), tau_mem=full(dt * steps), r=full(steps), v_leak=full(0.0),
                    w_in=full(synapse), **fires)  # fmt: skip
    if not dv:
        return (nir.IF if population.fires else nir.I)(r=full(1 / dt), **fires)
    kind = nir.LIF if population.fires else nir.LI
    return kind(tau=full(dt * steps), r=full(steps), v_leak=full(0.0), **fires)
