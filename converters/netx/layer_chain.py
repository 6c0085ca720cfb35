"""A ChipNetwork as the chain of layers that a .net file can say, or the reason why it can't."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dalif_deploy.hw_models.arithmetic import require_arithmetic
from dalif_deploy.hw_models.chip_network.form import (
    BIAS_MANT_MAX,
    BIAS_MANT_MIN,
    VTH_MAX,
    ChipNetwork,
    Geometry,
    Population,
    Projection,
)
from dalif_deploy.hw_models.errors import UserError

from .dense_synapses import check_weights, join_delays

BIAS_EXP = 6  # fixed in netx (hdf5.py, get_neuron_params)
BIAS_STEP = 1 << BIAS_EXP


@dataclass(frozen=True)
class NetLayer:
    """A population and all that leads into it.

    Attributes:
        weight: as in `Projection`.
        geometry: None for dense.
        delays: steps, one a target neuron or one a synapse; None where all are 0.
    """

    population: Population
    weight: np.ndarray
    geometry: Geometry | None
    delays: np.ndarray | None


def chain_of(network: ChipNetwork) -> list[NetLayer]:
    """Layers from the input on.

    Raises:
        UserError: naming the layer and what .net files can't say of it.
    """
    require_arithmetic(network.chip, "lava", "lava-dl, which runs a .net file,")
    if len(network.inputs) != 1 or network.host_projections:
        raise UserError(
            "a .net file has one input, of spikes or graded messages, and no bias computed on a host",
            where=", ".join(network.inputs),
            remedy="export with --input graded or --input spikes",
        )
    (before,) = network.inputs
    layers: list[NetLayer] = []
    while following := network.outgoing(before):
        if len({p.target for p in following}) > 1:
            raise UserError("leads to several layers, a .net file is a chain", where=before, remedy="use --target lava")
        population = network.populations[following[0].target]
        if len(network.incoming(population.name)) > len(following):
            raise UserError(
                "is driven by several layers, a .net file is a chain", where=population.name, remedy="use --target lava"
            )
        layers.append(_layer(population, following, vector=bool(layers) and layers[-1].geometry is None))
        before = population.name
        if len(layers) > len(network.populations):
            raise UserError("a loop, a .net file is a chain", where=before, remedy="use --target lava")
    left = set(network.populations) - {layer.population.name for layer in layers}
    if left:
        raise UserError("is not driven by the input", where=sorted(left)[0], remedy="use --target lava")
    biased = False
    for layer in layers:
        if layer.delays is not None and biased:
            raise UserError(
                "delays after a layer with biases: its spikes while netx's pipeline fills would arrive too late",
                where=layer.population.name,
                remedy="use --target lava",
            )
        biased = biased or bool(layer.population.bias.any())
        fires, last = layer.population.fires, layer is layers[-1]
        if not fires and not (last and (layer.population.vth == VTH_MAX).all()):
            raise UserError(
                "never fires; a .net file can say that only of its last layer, by the highest threshold",
                where=layer.population.name,
                remedy="use --target lava",
            )
    return layers


def _layer(population: Population, projections: list[Projection], *, vector: bool) -> NetLayer:
    """`vector`: the source is a dense layer, which netx has without height and width."""
    for register in ("du", "dv", "vth"):
        if np.unique(getattr(population, register)).size > 1:
            raise UserError(
                f"several values of {register}, but netx's neurons have one per layer",
                where=population.name,
                remedy="export with --scale-group layer"
                if register == "vth"
                else "use --target lava, or train with --decays-per layer",
            )
    if population.reset != "zero":
        raise UserError("a reset by subtraction", where=population.name, remedy='train with reset "zero"')
    if population.options:
        raise UserError(
            f"neurons with a {' and a '.join(population.options)}, which netx does not have",
            where=population.name,
            remedy="use --target lava",
        )
    for projection in projections:
        if projection.weight_exp:
            raise UserError(
                f"a weight exponent of {projection.weight_exp}, which Lava's convolutions ignore",
                where=projection.name,
                remedy="use --target lava",
            )
    first, *more = projections
    if first.geometry is None:
        if any(p.geometry is not None for p in more):
            raise UserError("two kinds of synapses into it", where=population.name, remedy="use --target lava")
        weight, delays = join_delays(first.name, [(p.delay, p.weight) for p in projections])
        check_weights(first.name, weight)
        return NetLayer(population, weight, None, delays)
    if more:
        raise UserError("two kinds of synapses into it", where=population.name, remedy="use --target lava")
    if first.delay:
        raise UserError(
            f"a delay of {first.delay} steps, which netx leaves out in a convolution",
            where=first.name,
            remedy="use --target lava",
        )
    if len(population.shape) != 3:
        raise UserError("a convolution over a line", where=population.name, remedy="use --target lava")
    if vector:
        raise UserError(
            "a convolution after a dense layer, which is a vector in netx", where=first.name, remedy="use --target lava"
        )
    return NetLayer(population, first.weight, first.geometry, None)


def round_biases(network: ChipNetwork) -> tuple[ChipNetwork, dict[str, float]]:
    """The network with all biases rounded to what netx's exponent can say.

    Returns:
        A network of its own populations; population -> largest change, in thresholds.

    Raises:
        UserError: a bias beyond a 13-bit mantissa times 2^6.
    """
    rounded, changes = {}, {}
    for name, population in network.populations.items():
        value = population.bias
        mantissa = np.rint(value / BIAS_STEP).astype(np.int64)
        if mantissa.min() < BIAS_MANT_MIN or mantissa.max() > BIAS_MANT_MAX:
            raise UserError("a bias that needs an exponent above 6", where=population.name, remedy="use --target lava")
        exponent = np.array(BIAS_EXP if mantissa.any() else 0)
        rounded[name] = replace(population, bias_mant=mantissa, bias_exp=exponent)
        threshold = float(np.min(population.vth)) * 64
        changes[population.name] = float(np.abs(value - mantissa * BIAS_STEP).max()) / max(threshold, 1.0)
    return replace(network, populations=rounded), changes
