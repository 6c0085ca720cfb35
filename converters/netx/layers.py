"""A ChipNetwork as the chain of layers that a .net file can say, or the reason why it can't."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_models.chip_network import ChipNetwork, Population, Projection
from hw_models.errors import UserError

BIAS_EXP = 6  # fixed in netx (hdf5.py, get_neuron_params)
BIAS_STEP = 1 << BIAS_EXP


@dataclass(frozen=True)
class NetLayer:
    """A population and the only projection into it."""

    population: Population
    projection: Projection


def chain_of(network: ChipNetwork) -> list[NetLayer]:
    """Layers from the input on.

    Raises:
        UserError: naming the layer and what .net files can't say of it.
    """
    if len(network.inputs) != 1 or network.host_projections:
        raise UserError(
            "a .net file has one input, of spikes or graded messages, and no bias computed on a host",
            where=", ".join(network.inputs),
            remedy="export with --input graded or --input spikes",
        )
    (before,) = network.inputs
    layers: list[NetLayer] = []
    while following := network.outgoing(before):
        if len(following) > 1:
            raise UserError("leads to several layers, a .net file is a chain", where=before, remedy="use --target lava")
        (projection,) = following
        population = network.populations[projection.target]
        if len(network.incoming(population.name)) > 1:
            raise UserError(
                "is driven by several layers, a .net file is a chain", where=population.name, remedy="use --target lava"
            )
        _check(population, projection)
        layers.append(NetLayer(population, projection))
        before = population.name
    left = set(network.populations) - {layer.population.name for layer in layers}
    if left:
        raise UserError("is not driven by the input", where=sorted(left)[0], remedy="use --target lava")
    return layers


def _check(population: Population, projection: Projection) -> None:
    for register in ("du", "dv", "vth"):
        if np.unique(getattr(population, register)).size > 1:
            raise UserError(
                f"several values of {register}, netx takes one a layer",
                where=population.name,
                remedy="export with --scale-group layer",
            )
    if population.reset != "zero":
        raise UserError("a reset by subtraction", where=population.name, remedy='train with reset "zero"')
    if projection.delay:
        raise UserError(f"a delay of {projection.delay} steps", where=projection.name, remedy="use --target lava")
    if projection.weight_exp:
        raise UserError(
            f"a weight exponent of {projection.weight_exp}, which Lava's convolutions ignore",
            where=projection.name,
            remedy="use --target lava",
        )
    if len(population.shape) == 2 or (projection.geometry is not None and len(population.shape) != 3):
        raise UserError("a convolution over a line", where=population.name, remedy="use --target lava")


def round_biases(network: ChipNetwork) -> dict[str, float]:
    """Rounds all biases, in place, to what netx's exponent can say.

    Returns:
        Population -> largest change, in thresholds.

    Raises:
        UserError: a bias beyond a 13-bit mantissa times 2^6.
    """
    changes = {}
    for population in network.populations.values():
        value = np.asarray(population.bias_mant, np.int64) << np.asarray(population.bias_exp, np.int64)
        mantissa = np.rint(value / BIAS_STEP).astype(np.int64)
        if mantissa.min() < -4096 or mantissa.max() > 4095:
            raise UserError("a bias that needs an exponent above 6", where=population.name, remedy="use --target lava")
        population.bias_mant, population.bias_exp = mantissa, np.array(BIAS_EXP if mantissa.any() else 0)
        threshold = float(np.min(population.vth)) * 64
        changes[population.name] = float(np.abs(value - mantissa * BIAS_STEP).max()) / max(threshold, 1.0)
    return changes
