"""Works out what the C code of a network consists of, before a line of it is written."""

from __future__ import annotations

from collections.abc import Iterable

from dalif_deploy.hw_models.arithmetic.lava.exactness import population_bounds, projection_bound
from dalif_deploy.hw_models.chip_network.form import (
    DECAY_UNITY,
    NO_CURRENT_FILTER,
    STATE_LIMIT,
    SYNAPSE_SHIFT,
    ChipNetwork,
    ChipOutput,
    Population,
    Projection,
)
from dalif_deploy.hw_models.chip_network.geometry import spatial_output
from dalif_deploy.hw_models.errors import UserError

from .kernels import kernel
from .names import c_names
from .plan import Layer, Output, Part, Plan, Source
from .registers import Register, register
from .space import Space, space_of
from .synapses import synapses

INT16_MAX, INT32_MAX = (1 << 15) - 1, (1 << 31) - 1
UINT8_MAX, UINT16_MAX = (1 << 8) - 1, (1 << 16) - 1
# the lists of events begin with the index of each place's first one, from 0 to the number of neurons
MOST_NEURONS_16 = UINT16_MAX


def plan_c(
    network: ChipNetwork, steps: int | None = None, bias_inputs: Iterable[str] | None = None, *, fast: bool = False
) -> Plan:
    """Works out the code of a network.

    Args:
        steps: of a sample at most; the network's own by default.
        bias_inputs: populations whose bias comes from outside, a neuron; the targets of host projections by default.
        fast: memory for speed: sums over an input that stays are kept, and so is a bias from outside.

    Raises:
        UserError: a loop without delay, neurons numbered in two ways.
    """
    steps = steps or network.steps
    outside = set(bias_inputs or ()) | {host.target for host in network.host_projections.values()}
    try:
        depth = network.depths()
    except ValueError as error:
        raise UserError(str(error), remedy="give at least one projection of the loop a delay") from error
    messages = {p.source for p in network.projections.values()}
    names = c_names([*network.inputs, *network.populations], taken=("init", "reset", "step", "run", "state"))
    spaces = {name: _space(network, name) for name in (*network.inputs, *network.populations)}
    sources = {name: _source(network, name, names[name], spaces[name], fast) for name in spaces}
    order = sorted(network.populations, key=lambda name: depth[name])
    layers = [_layer(network, name, sources, steps, name in outside, fast) for name in order]
    by_name = {layer.name: layer for layer in layers}
    output_names = c_names(network.outputs, taken=names.values())
    largest = max((space.size for space in spaces.values()), default=1)
    return Plan(
        network,
        steps,
        fast,
        "uint16_t" if largest <= MOST_NEURONS_16 else "uint32_t",
        [sources[name] for name in network.inputs if name in messages],
        layers,
        [_output(o, output_names[o.name], by_name[o.population], steps) for o in network.outputs.values()],
    )


def _output(output: ChipOutput, identifier: str, layer: Layer, steps: int) -> Output:
    mode = output.mode if layer.fires or output.mode == "count" else "membrane"  # what never fires is never reset
    membrane = STATE_LIMIT if layer.clips else layer.bounds.membrane
    largest = max(membrane, int(layer.threshold.values.max()))
    wide = mode != "count" and output.kept == "sum" and largest * steps > INT32_MAX
    return Output(identifier, output.name, layer, mode, output.kept, "int64_t" if wide else "int32_t")


def _space(network: ChipNetwork, name: str) -> Space:
    """A population's shape, or that of the convolution into it, where that numbers the same neurons otherwise."""
    space = space_of(network.source_shape(name))
    found = {space}
    for projection in network.projections.values():
        if projection.geometry is None:
            continue
        if projection.source == name:
            found.add(space_of(network.source_shape(name)))
        if projection.target == name:
            into = network.source_shape(projection.source)[1:]
            spatial = spatial_output(into, projection.weight.shape[2:], projection.geometry)
            space = space_of((len(projection.weight), *spatial))
            found.add(space)
    if len({s for s in found if s.places > 1}) > 1:
        raise UserError(
            "two convolutions number its neurons in different ways", where=name, remedy="put a layer between them"
        )
    return space


def _source(network: ChipNetwork, name: str, identifier: str, space: Space, fast: bool) -> Source:
    slots = 1 + max((p.delay for p in network.outgoing(name)), default=0)
    if not network.sends_numbers(name):
        return Source(identifier, name, space, slots)
    low, high = network.message_range(name)
    if low == 0 and high <= UINT8_MAX:
        level_type = "uint8_t"
    else:
        level_type = "int16_t" if low >= -INT16_MAX - 1 and high <= INT16_MAX else "int32_t"
    stands = fast and slots == 1 and name in network.inputs
    return Source(identifier, name, space, slots, level_type, low, high, stands)


def _layer(network: ChipNetwork, name: str, sources: dict[str, Source], steps: int, outside: bool, fast: bool) -> Layer:
    population, source = network.populations[name], sources[name]
    bounds = population_bounds(network, population, steps)
    # a bias from outside that no host projection makes may be anything that registers hold
    unknown_bias = outside and not any(h.target == name for h in network.host_projections.values())
    wraps = bounds.wraps
    incoming = network.incoming(name)
    made = [
        synapses(
            f"{sources[p.source].id}_to_{source.id}" + (f"_{index}" if _several(incoming, p.source) else ""),
            p,
            sources[p.source].space,
            source.space,
            (sources[p.source].id, source.id),
            projection_bound(network, p),
        )
        for index, p in enumerate(incoming)
    ]
    shared = 0 if wraps else min((each.exponent for each in made), default=0)
    narrow = sum(each.bound for each in made) >> shared <= INT16_MAX
    sum_type = "uint32_t" if wraps else "int16_t" if narrow else "int32_t"
    parts = []
    for projection, each in zip(incoming, made, strict=True):
        factor = 1 << (each.exponent - shared)
        of = sources[projection.source]
        parts.append(
            Part(
                each,
                of,
                source.space,
                name,
                kernel(sum_type, each, of.level_type, scaled=factor > 1),
                factor,
                wraps and each.geometry is not None and each.bound >= STATE_LIMIT,
            )
        )
    registers = _registers(population, source)
    lowest_threshold = int(population.vth.min()) << SYNAPSE_SHIFT
    return Layer(
        source.id,
        name,
        source.space,
        source,
        parts,
        wraps,
        sum_type,
        1 << (SYNAPSE_SHIFT + shared),
        registers["current_keep"] if (population.du != NO_CURRENT_FILTER).any() and parts else None,
        registers["membrane_keep"] if population.dv.any() else None,
        registers["threshold"],
        None if outside else registers["bias"],
        population.reset == "subtract",
        bounds.clips or unknown_bias,
        # a readout that reaches its threshold, the highest there is, fires on the chip too
        population.fires or bounds.membrane > lowest_threshold or unknown_bias,
        any(o.population == name and o.mode == "count" and o.kept != "last" for o in network.outputs.values()),
        _scale(population),
        fast,
        bounds,
        None if population.v_min is None else registers["lowest"],
        registers["start"] if population.v_start.any() else None,
        population.refractory,
    )


def _several(incoming: list[Projection], source: str) -> bool:
    return [p.source for p in incoming].count(source) > 1


def _registers(population: Population, source: Source) -> dict[str, Register]:
    values = {
        "current_keep": (DECAY_UNITY - 1 - population.du, "uint16_t"),
        "membrane_keep": (DECAY_UNITY - population.dv, "uint16_t"),
        "threshold": (population.vth.astype("int64") << SYNAPSE_SHIFT, "int32_t"),
        "bias": (population.bias, "int32_t"),
        "lowest": (population.v_start if population.v_min is None else population.v_min, "int32_t"),
        "start": (population.v_start, "int32_t"),
    }
    return {
        key: register(f"{source.id}_{key}", array, population.shape, source.space, ctype)
        for key, (array, ctype) in values.items()
    }


def _scale(population: Population) -> str:
    low, high = float(population.scale.min()), float(population.scale.max())
    return f"{low:.9g}" if low == high else f"{low:.9g} to {high:.9g}, a channel its own"
