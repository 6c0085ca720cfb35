"""A ChipNetwork and its mapping as a SANA-FE network on SANA-FE's own Loihi."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dalif_deploy.hw_models.arithmetic import require_arithmetic
from dalif_deploy.hw_models.chip_network.form import DECAY_UNITY, NO_CURRENT_FILTER, VTH_MAX, ChipNetwork, Population
from dalif_deploy.hw_models.chip_network.synapse_list import synapse_list
from dalif_deploy.hw_models.chips.description import sanafe_chip
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.mapping import Mapping, map_network

UNIT = 64  # integers of the membrane a unit of SANA-FE's potential
NEVER = 1e30  # threshold of a layer whose sample has not begun or is over
MOST_SYNAPSES = 5_000_000  # SANA-FE holds an object for each


def require_sanafe() -> None:
    """Raises UserError if SANA-FE is not installed."""
    try:
        import sanafe  # noqa: F401
    except ImportError as error:
        raise UserError(f"needs SANA-FE ({error})", remedy="pip install 'sanafe>=2.2'") from error


def build_sanafe(
    network: ChipNetwork, mapping: Mapping | None = None, *, biases: bool = False
) -> tuple[Any, Any, Mapping]:
    """(sanafe.Network, sanafe.Architecture, the mapping): neurons on the cores that the mapping gives them.

    Args:
        biases: from the first step on. `run_sanafe` sets each layer's when its first input arrives instead.

    Raises:
        UserError: SANA-FE is missing, or its Loihi has no such thing: graded messages, filtered currents, delays, a
            second chip.
        DoesNotFit: no mapping.
    """
    require_sanafe()
    import sanafe

    _check(network)
    simulated, named = sanafe_chip(network.chip)
    mapping = mapping or map_network(replace(network, chip=simulated.name))
    if mapping.chips > 1:
        raise UserError(f"needs {mapping.chips} chips, but SANA-FE's Loihi has one", remedy="take a smaller network")
    architecture = getattr(sanafe, f"load_{named.architecture}")()
    cores = architecture.cores()
    made = sanafe.Network()
    groups = {}
    taken = 0  # input units, of all inputs together
    for name, chip_input in network.inputs.items():
        if chip_input.mode == "bias":
            continue
        size = int(np.prod(chip_input.shape))
        groups[name] = made.create_neuron_group(name, size, {})
        for neuron, unit_number in enumerate(range(taken, taken + size)):
            # SANA-FE's input units are 1024 a core; they cost nothing, but their messages do
            core = cores[len(cores) - 1 - unit_number // 1024]
            groups[name][neuron].set_attributes(
                soma_hw_name=f"{named.architecture}_inputs[{unit_number % 1024}]",
                default_synapse_hw_name=f"{named.architecture}_dense_synapse",
                model_attributes={"spikes": []},
            )
            groups[name][neuron].map_to_core(core)
        taken += size
    for name, population in network.populations.items():
        dense = [p.geometry is None for p in network.incoming(name)]
        unit = f"{named.architecture}_{'dense' if any(dense) else 'conv'}_synapse"
        soma = f"{named.architecture}_lif"
        groups[name] = _population(made, mapping, population, cores, (soma, unit), biases)
    for projection in network.projections.values():
        synapses = synapse_list(
            projection, network.source_shape(projection.source), network.populations[projection.target].shape
        )
        if len(synapses.source):
            weights = synapses.weight * 2.0**projection.weight_exp
            groups[projection.source].connect_neurons_sparse(
                groups[projection.target],
                {"w": weights.tolist()},
                list(zip(synapses.source.tolist(), synapses.target.tolist(), strict=True)),
            )
    return made, architecture, mapping


def _population(
    made: Any, mapping: Mapping, population: Population, cores: Any, units: tuple[str, str], biases: bool
) -> Any:
    group = made.create_neuron_group(
        population.name,
        population.size,
        {"reset_mode": "hard" if population.reset == "zero" else "soft"},
        default_synapse_hw_name=units[1],
        soma_hw_name=units[0],
        log_spikes=True,
        log_potential=True,
    )
    threshold, decay = registers(population)
    bias = bias_of(population) if biases else np.zeros(population.size)
    numbers = mapping.core_numbers(population.name).ravel()
    taken: dict[int, Any] = {}
    for neuron in range(population.size):
        number = int(numbers[neuron])
        if number not in taken:
            taken[number] = cores[sanafe_core(mapping, number)]
        group[neuron].set_attributes(
            model_attributes={
                "threshold": float(threshold[neuron]),
                "leak_decay": float(decay[neuron]),
                "bias": float(bias[neuron]),
            }
        )
        group[neuron].map_to_core(taken[number])
    return group


def registers(population: Population) -> tuple[np.ndarray, np.ndarray]:
    """(threshold, leak_decay) of each neuron in SANA-FE's terms."""
    # a readout has the largest threshold there is, and fires above it as on the chip
    threshold = np.broadcast_to(population.vth if population.fires else VTH_MAX, population.shape)
    decay = np.broadcast_to((DECAY_UNITY - population.dv) / DECAY_UNITY, population.shape)
    return threshold.ravel(), decay.ravel()


def bias_of(population: Population, registers: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """Bias of each neuron in SANA-FE's terms; `registers` (mantissa, exponent) in place of the population's own."""
    mant, exp = registers or (population.bias_mant, population.bias_exp)
    value = np.asarray(mant, np.int64) << np.asarray(exp, np.int64)
    return np.broadcast_to(value, population.shape).ravel() / UNIT


def sanafe_core(mapping: Mapping, number: int) -> int:
    """SANA-FE's number of a core of the mapping: tiles are numbered column by column."""
    grid = mapping.chip.grid
    column, row = mapping.cores[number].tile
    before = sum(core.tile == (column, row) for core in mapping.cores[:number])
    return (column * grid.rows + row) * grid.cores_per_tile + before


def _check(network: ChipNetwork) -> None:
    # where it has no wrap, it never comes to one: see converters/sanafe/__init__.py
    require_arithmetic(network.chip, "lava", "SANA-FE's Loihi")
    for chip_input in network.inputs.values():
        if chip_input.mode == "graded":
            raise UserError(
                "SANA-FE's Loihi has no graded messages",
                where=chip_input.name,
                remedy="export with --input bias or --input spikes",
            )
    for population in network.populations.values():
        if population.options:
            raise UserError(
                f"SANA-FE's neurons lack a {' and a '.join(population.options)}",
                where=population.name,
                remedy="use --engine fast or lava",
            )
        if (np.asarray(population.du) != NO_CURRENT_FILTER).any():
            raise UserError(
                "SANA-FE does not round filtered currents", where=population.name, remedy="use --engine fast or lava"
            )
    depths = network.depths()
    total = 0
    for projection in network.projections.values():
        if network.pipeline_delay(projection, depths):
            raise UserError(
                "a synaptic delay, which its Loihi does not have (loops and branches of unequal length need one)",
                where=projection.name,
                remedy="use --engine fast or lava",
            )
        positions = 1 if projection.geometry is None else int(np.prod(network.populations[projection.target].shape[1:]))
        total += int(np.count_nonzero(projection.weight)) * positions
    if total > MOST_SYNAPSES:
        raise UserError(f"about {total:,} synapses, more than {MOST_SYNAPSES:,}", remedy="use --engine fast")
