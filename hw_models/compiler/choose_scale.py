"""Chooses how many integer units make one unit of membrane, a population or a channel.

As large as the registers allow, so that rounding is finest: the largest weight takes the largest integer, unless that
would overflow a register.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..chip_network.form import (
    STATE_LIMIT,
    SYNAPSE_SHIFT,
)
from ..chips.description import Registers

UNIT = 1 << SYNAPSE_SHIFT
# Weights grow by up to half a step in rounding; bounds are kept by this factor and then checked on the integers.
ROUNDING_MARGIN = 0.98
INTEGER_TOLERANCE = 1e-6
LARGEST_WEIGHT = "largest weight"


@dataclass(frozen=True)
class WeightGrid:
    """Integers a weight may take: multiples of `step` in lowest..highest."""

    step: int
    lowest: int
    highest: int

    @property
    def full(self) -> int:
        """Largest magnitude that both signs can take."""
        return min(self.highest, -self.lowest) if self.lowest and self.highest else max(self.highest, -self.lowest)


def weight_grid(weight: np.ndarray, weight_bits: int) -> WeightGrid:
    """Grid of a projection. Mixed signs spend one bit on the sign and keep even numbers (-256..254 at 8 bits)."""
    positive, negative = bool((weight > 0).any()), bool((weight < 0).any())
    if positive and negative:
        step = 1 << (9 - weight_bits)
        return WeightGrid(step, -256, 256 - step)
    step = 1 << (8 - weight_bits)
    return WeightGrid(step, step - 256, 0) if negative else WeightGrid(step, 0, 256 - step)


@dataclass(frozen=True)
class ScaleProblem:
    """What bounds the scales of a population, in membrane units. Arrays are [G], one entry a group of neurons that
    share a scale: one for the whole layer, or one a channel.

    Attributes:
        registers, max_weight_exp: of the chip.
        weights, grids: a projection: float weights, its integer grid.
        reaches: a projection: [G], largest |weight| that shall not be clipped.
        threshold: [G] largest threshold, None for a readout.
        bias: [G] largest |constant bias|, host-computed currents included.
        current: [G] largest |synaptic current|, filter included.
        arriving: [G] largest |sum| that synapses bring in one step, in membrane units as `current`.
        synaptic_bits: of that sum on the chip, see `Formats`.
        membrane: [G] largest |membrane| of a readout over all steps.
        even_threshold: True where each group has one threshold, which can be put on its grid.
        lattice: True if the membrane only ever sums inputs (no decay, no filter, no bias).
    """

    registers: Registers
    max_weight_exp: int
    weights: list[np.ndarray]
    grids: list[WeightGrid]
    reaches: list[np.ndarray]
    threshold: np.ndarray | None
    bias: np.ndarray
    current: np.ndarray
    arriving: np.ndarray
    synaptic_bits: int | None
    membrane: np.ndarray
    even_threshold: bool
    lattice: bool


def choose_scale(problem: ScaleProblem, clip: float = 1.0) -> tuple[np.ndarray, str]:
    """(integer units a membrane unit, [G]; what bounds it, of the group with the smallest).

    Args:
        clip: how far beyond its largest integer the largest weight may lie; what lies beyond is clipped.
    """
    bounds = _bounds(problem, clip)
    stacked = np.stack([np.broadcast_to(value, problem.bias.shape) for value in bounds.values()])
    limit = stacked.min(axis=0)
    tightest = int(limit.argmin())
    reason = min((float(value), name) for name, value in zip(bounds, stacked[:, tightest], strict=True))[1]
    exact = _exact_scale(problem)
    if exact is not None and exact <= limit.min():
        return np.array([exact]), "weights are whole multiples: exact"
    if problem.threshold is not None and problem.even_threshold:
        # put the threshold on its grid, so that it is not rounded
        vth = np.floor(limit * problem.threshold / UNIT)
        limit = np.where(vth >= 1, vth * UNIT / np.where(vth >= 1, problem.threshold, 1.0), limit)
    return limit, reason


def _bounds(problem: ScaleProblem, clip: float) -> dict[str, np.ndarray]:
    bounds, registers = {}, problem.registers
    largest_bias = registers.largest_mantissa << registers.max_bias_exp
    candidates = [_bound(g.full * UNIT * clip, reach) for g, reach in zip(problem.grids, problem.reaches, strict=True)]
    if candidates:
        # the projection with the smallest weights sets the unit; the others take a weight exponent, as far as it goes
        finite = np.where(np.isfinite(candidates), candidates, -np.inf).max(axis=0)
        finite = np.minimum(finite, np.min(candidates, axis=0) * 2.0**problem.max_weight_exp)
        bounds[LARGEST_WEIGHT] = np.where(finite > 0, finite, np.inf)
    if problem.threshold is not None:
        name = f"threshold register ({registers.threshold_bits} bit)"
        bounds[name] = _bound(registers.largest_threshold * UNIT / 2, problem.threshold)
    bounds["bias register"] = _bound(largest_bias * ROUNDING_MARGIN, problem.bias)
    bounds["current register (24 bit)"] = _bound((STATE_LIMIT - 1) * ROUNDING_MARGIN, problem.current)
    if problem.synaptic_bits is not None:
        limit = ((1 << problem.synaptic_bits) - 1) * ROUNDING_MARGIN
        bounds[f"synaptic sum of a step ({problem.synaptic_bits} bit)"] = _bound(limit, problem.arriving)
    if problem.threshold is None:
        # a readout must never reach the largest threshold, else it would spike
        bounds["readout membrane over all steps"] = _bound(
            registers.largest_threshold * UNIT * ROUNDING_MARGIN, problem.membrane
        )
    # where nothing drives a group any scale will do
    idle = np.where(np.isfinite(np.stack(list(bounds.values()))).any(axis=0), np.inf, float(UNIT))
    return {**bounds, "nothing drives it": idle}


def _bound(limit: float, reach: np.ndarray) -> np.ndarray:
    return np.where(reach > 0, limit / np.where(reach > 0, reach, 1.0), np.inf)


def _exact_scale(problem: ScaleProblem) -> float | None:
    """Scale of the layer at which weights that are whole multiples of one quantum lose nothing, or None."""
    values = np.abs(np.concatenate([w.ravel() for w in problem.weights])) if problem.weights else np.zeros(0)
    values = values[values > 0]
    if not problem.lattice or problem.threshold is None or values.size == 0:
        return None
    quantum = values.min()
    multiples = values / quantum
    if np.abs(multiples - np.rint(multiples)).max() > INTEGER_TOLERANCE:
        return None
    step = max(g.step for g in problem.grids)
    largest = min(g.full for g in problem.grids) // int(np.rint(multiples.max())) // step * step
    return largest * UNIT / quantum if largest >= step else None
