"""The compiler's driver: runs the passes and assembles the ChipNetwork."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import nir
import numpy as np

from ..arithmetic import arithmetic_of
from ..chip_network.form import ChipInput, ChipNetwork, NeuronOption
from ..chips.description import ChipDescription, chips_with_options, chips_with_reset, load_chip
from ..chips.names import chip_names
from ..errors import UserError
from ..graph.flat_graph import FlatGraph, flatten_graph
from ..neurons import NEURONS
from ..progress import tracked
from ..samples.input_data import InputData
from .calibration import calibrate
from .choose_scale import weight_grid
from .message_levels import step_doublings
from .populations import Drive, FloatNetwork, FloatPopulation, find_populations
from .quantize import QuantizedPopulation, quantize_population
from .scale_problem import ChipDrive, ScaleRule

OPTIONS: dict[NeuronOption, str] = {
    "lower bound": "a lower bound of the membrane (v_min)",
    "start": "a membrane that starts elsewhere than where a spike resets it to (v_start)",
    "refractory time": "a refractory time",
    "count of spikes": "several spikes a step, sent as their number",
}


@dataclass
class Compiled:
    """A compiled network and what there is to say of it, in plain numbers for tables and JSON.

    Attributes:
        layers: a layer, what quantisation did.
        delays: a projection that must wait for a longer path beside it (or is delayed in the graph): `steps` that
            each spike waits, and `neurons` whose spikes wait.
        rule: how scales were chosen.
    """

    network: ChipNetwork
    layers: list[dict[str, Any]]
    delays: list[dict[str, Any]]
    rule: ScaleRule


def compile_graph(
    graph: nir.NIRGraph,
    *,
    chip: str,
    steps: int,
    dt: float,
    input_mode: str | None = None,
    input_step: float | None = None,
    input_range: tuple[float, float] = (0.0, 1.0),
    weight_bits: int = 8,
    scale_rule: ScaleRule | None = None,
    calibration: InputData | None = None,
) -> Compiled:
    """Compiles a NIR graph of the LIF family to the integers of a chip.

    Args:
        chip: name of a description in `hw_models/chips`.
        steps: length of one sample; the state is reset between samples.
        dt: time step in seconds that the graph is stepped with.
        input_mode: "spikes", "graded" or "bias"; by default "spikes".
        input_step: graded: value of one message level, 1/255 of the range by default; made larger where the weights
            would be left with few levels.
        input_range: lowest and highest value of real-valued data.
        weight_bits: 1..8, sign included.
        scale_rule: by default "error" with calibration data, else "worst".
        calibration: samples as `run_reference` takes them, a few dozen; labels are not needed.

    Raises:
        UserError: what the chip cannot do, with node, reason and remedy.
    """
    description, arithmetic = load_chip(chip), arithmetic_of(chip)
    mode = input_mode or "spikes"
    _check_request(description, mode, steps, weight_bits)
    flat = flatten_graph(graph)
    _check_neurons(description, flat)
    source = find_populations(flat, dt)
    for population in source.populations.values():
        _check_population(description, population)
    rule = scale_rule or ScaleRule("worst" if calibration is None else "error")
    if rule.name != "worst" and calibration is None:
        raise UserError(f"scale rule {rule.name!r} needs calibration data", remedy="give --calibrate DATA")

    def quantized(inputs: dict[str, ChipInput]) -> list[QuantizedPopulation]:
        observed = None if calibration is None else calibrate(flat, source, inputs, calibration, dt=dt, steps=steps)
        return [
            quantize_population(
                population,
                *_drives(population, inputs, source, weight_bits),
                chip=description,
                arithmetic=arithmetic,
                steps=steps,
                host_range=max(abs(v) for v in input_range),
                rule=rule,
                calibration=observed,
            )
            for population in tracked(list(source.populations.values()), "compiling, layers")
        ]

    inputs = {
        name: _chip_input(name, shape, mode, input_step, input_range, description)
        for name, shape in source.inputs.items()
    }
    made = quantized(inputs)
    coarser = _coarser_inputs(inputs, made, weight_bits)
    if coarser != inputs:
        inputs = coarser
        made = quantized(inputs)
    network = ChipNetwork(
        chip,
        steps,
        inputs,
        {},
        {},
        {},
        source.outputs,
        dt=dt,
    )
    for each in made:
        _add(network, each)
    layers = [each.report for each in made]
    delays = _delays(network, description)
    for report in layers:
        layer = network.populations[report["layer"]]
        report.update(arithmetic.headroom(network, layer, steps, description.formats.synaptic_bits))
    return Compiled(network, layers, delays, rule)


def _check_request(chip: ChipDescription, mode: str, steps: int, weight_bits: int) -> None:
    if mode not in chip.formats.inputs:
        raise UserError(
            f"{chip.title} does not take {mode} input",
            remedy=f"choose --input {' or '.join(chip.formats.inputs)}, or another chip",
        )
    if steps < 1:
        raise UserError(f"steps must be 1 or more, got {steps}", remedy="give --steps")
    if not 1 <= weight_bits <= chip.formats.max_weight_bits:
        raise UserError(
            f"{weight_bits} weight bits; {chip.title} has 1 to {chip.formats.max_weight_bits}",
            remedy="choose --weight-bits in that range",
        )


def _check_neurons(chip: ChipDescription, flat: FlatGraph) -> None:
    for name in flat.neurons:
        neuron = NEURONS[type(flat.nodes[name])]
        lacking = neuron.why_not_on(chip)
        if lacking is not None:
            able = [other for other in chip_names() if neuron.why_not_on(load_chip(other)) is None]
            raise UserError(
                f"{chip.title} can't hold {neuron.node.__name__}: {lacking}",
                where=name,
                remedy=f"choose --chip {' or '.join(able)}" if able else "no chip here can; use --target nir",
            )


def _check_population(chip: ChipDescription, population: FloatPopulation) -> None:
    if population.fires and population.dynamics.reset not in chip.formats.resets:
        able = chips_with_reset(population.dynamics.reset)
        raise UserError(
            f"reset by subtraction; {chip.title} resets to zero",
            where=population.name,
            remedy=f"{f'choose --chip {able[0]}, or ' if able else ''}train with --reset zero",
        )

    lacking = [o for o in population.dynamics.options if o not in chip.formats.neuron_options]
    if lacking:
        able = chips_with_options(population.dynamics.options)
        raise UserError(
            f"{OPTIONS[lacking[0]]}; {chip.title}'s neurons have none here",
            where=population.name,
            remedy=f"choose --chip {able[0]}" if able else "no chip here can; use --target nir",
        )


def _chip_input(
    name: str,
    shape: tuple[int, ...],
    mode: str,
    step: float | None,
    limits: tuple[float, float],
    chip: ChipDescription,
) -> ChipInput:
    if mode == "spikes":
        return ChipInput(name, shape, "spikes")
    lowest, highest = map(float, limits)
    if mode == "bias":
        return ChipInput(name, shape, "bias", lowest=lowest, highest=highest)
    step = step or (limits[1] - limits[0]) / 255
    low, high = int(np.rint(limits[0] / step)), int(np.rint(limits[1] / step))
    if max(abs(low), abs(high)) >= 1 << (chip.formats.max_message_bits - 1):
        raise UserError("input levels beyond the chip's messages", where=name, remedy="use a larger input step")
    return ChipInput(name, shape, "graded", step, low, high, lowest, highest)


def _coarser_inputs(
    inputs: dict[str, ChipInput], made: list[QuantizedPopulation], weight_bits: int
) -> dict[str, ChipInput]:
    """Graded inputs whose levels leave too few for the weights get fewer, larger ones."""
    found = {}
    for name, item in inputs.items():
        driven = [p for each in made for p in each.projections if p.source == name]
        factor = 2 ** step_doublings(item, driven, weight_bits) if item.mode == "graded" else 1
        low, high = (int(np.rint(level / factor)) for level in (item.min_level, item.max_level))
        found[name] = replace(item, step=item.step * factor, min_level=low, max_level=high) if factor > 1 else item
    return found


def _drives(
    population: FloatPopulation, inputs: dict[str, ChipInput], network: FloatNetwork, weight_bits: int
) -> tuple[list[ChipDrive], list[Drive]]:
    """Projections on the chip, and those that the host computes."""
    on_chip: list[ChipDrive] = []
    on_host: list[Drive] = []
    for drive in population.drives:
        chip_input = inputs.get(drive.source)
        if chip_input is not None and chip_input.mode == "bias":
            on_host.append(drive)
            continue
        step, message = 1.0, 1
        if drive.source in network.populations:
            message = network.populations[drive.source].dynamics.max_spikes
        if chip_input is not None:
            step, message = chip_input.step, max(abs(chip_input.min_level), abs(chip_input.max_level))
        weight = drive.map.matrix * step
        on_chip.append(ChipDrive(drive, weight, weight_grid(weight, weight_bits), message))
    if on_host and (population.dynamics.syn_beta is not None or any(d.map.delay for d in on_host)):
        raise UserError(
            "a constant bias can't carry an input that is delayed or filtered",
            where=population.name,
            remedy="use --input graded or --input spikes",
        )
    return on_chip, on_host


def _add(network: ChipNetwork, quantized: QuantizedPopulation) -> None:
    name = quantized.population.name
    network.populations[name] = quantized.population
    for projection in quantized.projections:
        projection.target = name
        if projection.name in network.projections:
            projection.name = f"{projection.name}.{name}"
        network.projections[projection.name] = projection
    for host in quantized.host:
        network.host_projections[host.name] = host


def _delays(network: ChipNetwork, chip: ChipDescription) -> list[dict[str, Any]]:
    found = []
    depths = network.depths()
    for projection in network.projections.values():
        wait = network.pipeline_delay(projection, depths)
        if wait < 0:
            raise UserError(
                f"leads back over {projection.delay - wait} hops with delay {projection.delay}; a hop takes a step",
                where=projection.name,
                remedy=f"give the loop a delay of {projection.delay - wait} steps in training",
            )
        if wait > chip.formats.max_delay:
            raise UserError(
                f"needs a delay of {wait} steps, {chip.title} has {chip.formats.max_delay}",
                where=projection.name,
                remedy="shorten the path beside it",
            )
        if wait:
            neurons = int(np.prod(network.source_shape(projection.source)))
            found.append({"projection": projection.name, "steps": wait, "neurons": neurons})
    return found
