"""What Lava would get wrong without a word (registers that overflow, weights that lose bits) is refused beforehand."""

from __future__ import annotations

import numpy as np

from dalif_deploy.hw_models.arithmetic import require_arithmetic
from dalif_deploy.hw_models.chip_network.form import (
    REGISTER_RANGES,
    ChipNetwork,
    Population,
    Projection,
)
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.recording import EncodedInput

WEIGHT_EXP_MAX = 15  # weight * 2^exp over a few thousand synapses stays within Lava's int32


def check_network(network: ChipNetwork) -> None:
    """Checks that Lava can run the network with exactly its numbers.

    Raises:
        UserError: naming the population or projection.
    """
    require_arithmetic(network.chip, "lava", "Lava")
    for population in network.populations.values():
        _check_population(population)
    for projection in network.projections.values():
        if projection.source not in network.inputs and projection.source not in network.populations:
            raise UserError(f"starts at unknown {projection.source}", where=projection.name)
        if projection.target not in network.populations:
            raise UserError(f"ends at unknown {projection.target}", where=projection.name)
        _check_weights(projection)
        _check_shapes(network, projection)
    try:
        depths = network.depths()
    except ValueError as error:
        raise UserError(str(error), remedy="give at least one projection of the loop a delay") from error
    for projection in network.projections.values():
        if network.pipeline_delay(projection, depths) < 0:
            raise UserError(
                f"the loop through it takes {depths[projection.source] + 1 - depths[projection.target]} steps in a "
                f"pipeline, its delay is {projection.delay}",
                where=projection.name,
                remedy="use a longer delay or fewer populations in the loop",
            )


def check_input(network: ChipNetwork, encoded: EncodedInput) -> None:
    """Checks that the encoded samples fit the network.

    Raises:
        UserError: naming the input or population.
    """
    n, steps = encoded.samples, encoded.steps
    if steps < 1:
        raise UserError(f"samples of {steps} steps", remedy="use at least one step")
    used = {p.source for p in network.projections.values()} & set(network.inputs)
    for name in used - set(encoded.messages):
        raise UserError("no messages were given for it", where=name)
    for name, messages in encoded.messages.items():
        shape = network.inputs[name].shape if name in network.inputs else None
        if messages.shape not in ((n, steps, *(shape or ())), (n, 1, *(shape or ()))) or shape is None:
            raise UserError(f"messages of shape {list(messages.shape)} do not fit the network", where=name)
    for name, (mant, exp) in encoded.bias.items():
        if name not in network.populations:
            raise UserError("has a bias, but is not in the network", where=name)
        if not mant.shape == exp.shape == (n, *network.populations[name].shape):
            raise UserError(f"bias of shape {list(mant.shape)} does not fit the population", where=name)
        _check_range("bias_mant", mant, name)
        _check_range("bias_exp", exp, name)


def _check_population(population: Population) -> None:
    if len(population.shape) not in (1, 2, 3):
        raise UserError(f"shape {list(population.shape)}", where=population.name, remedy="use 1 to 3 axes")
    for register in REGISTER_RANGES:
        values = np.asarray(getattr(population, register))
        try:
            np.broadcast_to(values, population.shape)
        except ValueError as error:
            raise UserError(
                f"{register} of shape {list(values.shape)} does not fit shape {list(population.shape)}",
                where=population.name,
            ) from error
        _check_range(register, values, population.name)


def _check_range(register: str, values: np.ndarray, where: str) -> None:
    low, high = REGISTER_RANGES[register]
    if not np.issubdtype(values.dtype, np.integer) or (values < low).any() or (values > high).any():
        raise UserError(
            f"{register} must be an integer in {low}..{high}", where=where, remedy="compile the network again"
        )


def mixed_signs(weight: np.ndarray) -> bool:
    """True if the synapses spend a bit on the sign: both signs, or -256, which rounding to few bits may leave alone."""
    return bool((weight < 0).any() and ((weight > 0).any() or weight.min() == -256))


def _check_weights(projection: Projection) -> None:
    weight = projection.weight
    if not np.issubdtype(weight.dtype, np.integer):
        raise UserError("weights must be integers", where=projection.name)
    mixed = mixed_signs(weight)
    # the synapse's 8 bits: magnitude alone, or sign and 7 bits that count twice
    low, high = (-256, 254) if mixed else (-255, 255)
    if (weight < low).any() or (weight > high).any() or (mixed and (weight % 2).any()):
        rule = f"even and in {low}..{high}" if mixed else f"in {low}..{high}"
        raise UserError(
            f"{'mixed-sign ' if mixed else ''}weights must be {rule}, or the chip would change them",
            where=projection.name,
            remedy="round them so",
        )
    if not 0 <= projection.weight_exp <= WEIGHT_EXP_MAX:
        raise UserError(f"weight_exp {projection.weight_exp} is not in 0..{WEIGHT_EXP_MAX}", where=projection.name)
    if projection.delay < 0:
        raise UserError(f"delay {projection.delay} is negative", where=projection.name)


def _check_shapes(network: ChipNetwork, projection: Projection) -> None:
    source, target = network.source_shape(projection.source), network.populations[projection.target].shape
    weight, geometry = projection.weight, projection.geometry
    if geometry is None:
        expected = (int(np.prod(target)), int(np.prod(source)))
        if weight.shape != expected:
            raise UserError(f"weight of shape {list(weight.shape)}, needed {list(expected)}", where=projection.name)
        return
    axes = len(source) - 1
    if axes not in (1, 2) or weight.ndim != axes + 2 or len(geometry.stride) != axes:
        raise UserError(f"a convolution over shape {list(source)} is not supported", where=projection.name)
    spatial = tuple(
        (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for size, pad, dilation, kernel, stride in zip(
            source[1:], geometry.padding, geometry.dilation, weight.shape[2:], geometry.stride, strict=True
        )
    )
    expected = (weight.shape[0], *spatial)
    groups_fit = weight.shape[1] * geometry.groups == source[0] and weight.shape[0] % geometry.groups == 0
    if expected != target or not groups_fit:
        raise UserError(
            f"kernel {list(weight.shape)} over {list(source)} gives {list(expected)}, the target is {list(target)}",
            where=projection.name,
        )
