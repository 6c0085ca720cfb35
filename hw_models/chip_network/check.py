"""Whether a ChipNetwork that was read from a file holds together: what the simulator, Lava and the mapper rely on."""

from __future__ import annotations

import math

import numpy as np

from ..errors import UserError
from .form import (
    BIAS_EXP_MAX,
    MOST_REFRACTORY,
    MOST_SPIKES,
    REGISTER_RANGES,
    STATE_LIMIT,
    ChipNetwork,
    HostProjection,
    Population,
    Projection,
)
from .geometry import check_geometry, spatial_output
from .size import check_size

MOST_STEPS = 100_000  # as in a checkpoint
MOST_DELAY = 1024  # steps; a spike is kept for as long. No chip of ours has more than 63
REMEDY = "export it again with dalif-export"


def check_chip_network(network: ChipNetwork, where: str) -> None:
    """Raises UserError for the first thing that is out of its range or does not fit the others."""
    check = _Check(where)
    check(1 <= network.steps <= MOST_STEPS, f"{network.steps} steps per sample")
    check(0 < network.dt < math.inf, f"a time step of {network.dt} s")
    for item in network.inputs.values():
        levels = -STATE_LIMIT <= item.min_level <= item.max_level <= STATE_LIMIT
        check(levels and 0 < item.step < math.inf, f"levels of input {item.name}")
        ends = (-math.inf if item.lowest is None else item.lowest, math.inf if item.highest is None else item.highest)
        check(ends[0] <= ends[1], f"range of input {item.name}")
    for population in network.populations.values():
        _check_population(population, check)
    shared = network.inputs.keys() & network.populations.keys()
    check(not shared, f"two nodes called {', '.join(shared)}")
    check_size([network.source_shape(name) for name in (*network.inputs, *network.populations)], where=where)
    for layer in network.layers():
        for end, known in (
            (layer.source, [*network.inputs, *network.populations]),
            (layer.target, network.populations),
        ):
            check(end in known, f"{layer.name} connects to {end}, which does not exist")
        check(_fits(network, layer), f"{layer.name} does not fit between {layer.source} and {layer.target}")
    for projection in network.projections.values():
        check(
            0 <= projection.weight_exp <= BIAS_EXP_MAX, f"weight exponent {projection.weight_exp} of {projection.name}"
        )
        check(0 <= projection.delay <= MOST_DELAY, f"delay {projection.delay} of {projection.name}")
        weight = projection.weight
        in_range = not weight.size or (weight.min() >= -256 and weight.max() <= 255)
        check(in_range, f"weights of {projection.name} outside -256..255")
    for host in network.host_projections.values():
        check(host.source in network.inputs, f"{host.name} computes from {host.source}, which is no input")
        check(np.isfinite(host.weight).all() and np.isfinite(host.bias).all(), f"{host.name} holds NaN or infinity")
    for output in network.outputs.values():
        what = f"output {output.name} reads {output.population}, which does not exist"
        check(output.population in network.populations, what)
        read = network.populations[output.population]
        readable = output.mode != "membrane_before_reset" or (read.fires and read.reset == "subtract")
        check(readable, f"output {output.name} reads {read.name} before its reset, which takes a subtraction")
        most = output.mode == "count" and output.kept == "max" and read.max_spikes > 1
        check(not most, f"output {output.name} takes the most spikes of a step of {read.name}, which no engine reads")
        check(math.isfinite(output.zero), f"output {output.name} holds NaN or infinity")
    try:
        network.depths()
    except ValueError as error:
        check(False, str(error))


class _Check:
    def __init__(self, where: str):
        self._where = where

    def __call__(self, holds: object, what: str) -> None:
        if not holds:
            raise UserError(what, where=self._where, remedy=REMEDY)


def _check_population(population: Population, check: _Check) -> None:
    name = population.name
    check(1 <= len(population.shape) <= 3, f"layer {name} of shape {list(population.shape)}")
    for key, (low, high) in REGISTER_RANGES.items():
        register = getattr(population, key)
        in_range = not register.size or (register.min() >= low and register.max() <= high)
        check(in_range, f"register {key} of layer {name} outside {low}..{high}")
        check(_broadcasts(register, population), f"register {key} of shape {list(register.shape)} for layer {name}")
    lowest, start = population.v_min, population.v_start
    options = [("v_start", start, STATE_LIMIT - 1), *([] if lowest is None else [("v_min", lowest, 0)])]
    for key, register, highest in options:
        in_range = not register.size or (register.min() > -STATE_LIMIT and register.max() <= highest)
        check(in_range, f"{key} of layer {name} outside {1 - STATE_LIMIT}..{highest}")
        check(_broadcasts(register, population), f"{key} of shape {list(register.shape)} for layer {name}")
    check(
        0 <= population.refractory <= MOST_REFRACTORY, f"a refractory time of {population.refractory} steps in {name}"
    )
    many = population.max_spikes
    counted = many == 1 or (1 < many <= MOST_SPIKES and not (population.vth < 1).any())
    check(counted, f"{many} spikes a step in layer {name}")
    scale = population.scale
    check(_broadcasts(scale, population) and np.isfinite(scale).all() and scale.all(), f"scale of layer {name}")


def _broadcasts(array: np.ndarray, population: Population) -> bool:
    try:
        return np.broadcast_shapes(array.shape, population.shape) == population.shape
    except ValueError:
        return False


def _fits(network: ChipNetwork, layer: Projection | HostProjection) -> bool:
    """Whether the weights lead from the source's shape to the target's."""
    source, target = network.source_shape(layer.source), network.populations[layer.target].shape
    weight, geometry = layer.weight, layer.geometry
    if isinstance(layer, HostProjection) and layer.bias.shape != weight.shape[:1]:
        return False
    if geometry is None:
        return weight.shape == (math.prod(target), math.prod(source))
    axes = len(source) - 1
    if axes not in (1, 2) or weight.ndim != axes + 2 or not weight.size:
        return False
    check_geometry(geometry, axes, where=layer.name)
    # zeros around the input take memory too
    check_size([[source[0], *(n + 2 * p for n, p in zip(source[1:], geometry.padding, strict=True))]], where=layer.name)
    grouped = weight.shape[1] * geometry.groups == source[0] and weight.shape[0] % geometry.groups == 0
    return grouped and (len(weight), *spatial_output(source[1:], weight.shape[2:], geometry)) == target
