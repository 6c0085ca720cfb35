"""Chooses how many integer units make one unit of membrane, a population.

As large as the registers allow, so that rounding is finest: the largest weight takes the largest integer, unless that
would overflow a register in the worst case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw_models.chip_network import (
    BIAS_EXP_MAX,
    BIAS_MANT_MAX,
    DECAY_UNITY,
    STATE_LIMIT,
    SYNAPSE_SHIFT,
    VTH_MAX,
)

UNIT = 1 << SYNAPSE_SHIFT
BIAS_MAX = BIAS_MANT_MAX << BIAS_EXP_MAX
# Weights grow by up to half a step in rounding; bounds are kept by this factor and then checked on the integers.
ROUNDING_MARGIN = 0.98
INTEGER_TOLERANCE = 1e-6


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
    """What bounds the scale of a population, in membrane units.

    Attributes:
        weights, grids, messages: a projection: float weights, its integer grid, the largest message.
        threshold: largest threshold, None for a readout.
        bias: largest |constant bias|, host-computed currents included.
        drive: largest |summed synaptic input| of a step.
        current_gain: how much a synaptic filter can accumulate (1 without one).
        lattice: True if the membrane only ever sums inputs (no decay, no filter, no bias).
    """

    weights: list[np.ndarray]
    grids: list[WeightGrid]
    threshold: np.ndarray | None
    bias: float
    drive: float
    current_gain: float
    steps: int
    lattice: bool


def choose_scale(problem: ScaleProblem) -> tuple[float, str]:
    """(integer units a membrane unit, what bounds it)."""
    exact = _exact_scale(problem)
    bounds = _bounds(problem)
    limit, reason = min((value, name) for name, value in bounds.items())
    if exact is not None and exact <= limit:
        return exact, "weights are whole multiples: exact"
    if problem.threshold is not None and problem.threshold.ndim == 0 and problem.threshold > 0:
        # put the threshold on its grid, so that it is not rounded
        vth = np.floor(limit * float(problem.threshold) / UNIT)
        if vth >= 1:
            limit = vth * UNIT / float(problem.threshold)
    return float(limit), reason


def _bounds(problem: ScaleProblem) -> dict[str, float]:
    bounds = {}
    reaches = [float(np.abs(w).max(initial=0.0)) for w in problem.weights]
    candidates = [g.full * UNIT / r for g, r in zip(problem.grids, reaches, strict=True) if r > 0]
    if candidates:
        # the projection with the smallest weights sets the unit; the others take a weight exponent
        bounds["largest weight"] = max(candidates)
    if problem.threshold is not None and problem.threshold.max() > 0:
        bounds["threshold register (17 bit)"] = VTH_MAX * UNIT / 2 / float(problem.threshold.max())
    if problem.bias > 0:
        bounds["bias register"] = BIAS_MAX * ROUNDING_MARGIN / problem.bias
    if problem.drive > 0:
        bounds["current register (24 bit)"] = (
            (STATE_LIMIT - 1) * ROUNDING_MARGIN / (problem.drive * problem.current_gain)
        )
    total = problem.drive * problem.current_gain + problem.bias
    if problem.threshold is None and total > 0:
        # a readout must never reach the largest threshold, else it would spike
        bounds["readout membrane over all steps"] = VTH_MAX * UNIT * ROUNDING_MARGIN / (total * problem.steps)
    return bounds or {"nothing drives it": float(UNIT)}


def _exact_scale(problem: ScaleProblem) -> float | None:
    """Scale at which weights that are whole multiples of one quantum lose nothing, or None."""
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


def decay_register(beta: np.ndarray) -> np.ndarray:
    """dv of a membrane decay: round(4096 * (1 - beta)), at most 4095."""
    return np.minimum(np.rint(DECAY_UNITY * (1.0 - np.asarray(beta))), DECAY_UNITY - 1).astype(np.int64)
