"""What bounds the scale of a population, gathered from its weights and from what is known of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np

from ..chips.description import Registers
from ..errors import UserError
from .calibration import PERCENTILE, Calibration
from .choose_scale import ScaleProblem, WeightGrid
from .populations import Drive, FloatPopulation
from .scale_groups import Groups

RuleName = Literal["worst", "percentile", "error"]
GroupName = Literal["layer", "channel"]
HEADROOM = 2.0  # ranges seen on calibration data are covered this many times over


@dataclass(frozen=True)
class ScaleRule:
    """How scales are chosen.

    Attributes:
        name: "worst": nothing can overflow, whatever the data. With calibration data "percentile": weights, currents
            and membranes are covered up to the 99.9th percentile, these twice over; or "error": weights are clipped
            where that makes the synaptic current on the data most accurate, and ranges seen are covered twice over.
        group: "layer" (one scale), or "channel" (one a channel; one a neuron where a layer has no space).
    """

    name: RuleName = "worst"
    group: GroupName = "layer"


def scale_rule(name: str, group: str) -> ScaleRule:
    """The rule of that name.

    Raises:
        UserError: no such rule or group.
    """
    for value, known in ((name, get_args(RuleName)), (group, get_args(GroupName))):
        if value not in known:
            raise UserError(f"unknown scale rule {value!r}", remedy=f"choose {', '.join(known)}")
    return ScaleRule(cast(RuleName, name), cast(GroupName, group))


@dataclass
class ChipDrive:
    """A projection as the chip sees it.

    Attributes:
        weight: float, a message level.
        grid: integers that its synapses may take.
        message: largest |message|.
    """

    drive: Drive
    weight: np.ndarray
    grid: WeightGrid
    message: int


def scale_problem(
    source: FloatPopulation,
    groups: Groups,
    chip_drives: list[ChipDrive],
    host_drives: list[Drive],
    threshold: np.ndarray | None,
    *,
    registers: Registers,
    max_weight_exp: int,
    steps: int,
    host_range: float,
    current_gain: float,
    synaptic_bits: int | None,
    decays: bool,
    rule: ScaleRule,
    calibration: Calibration | None,
) -> ScaleProblem:
    """The problem of one population.

    Args:
        threshold: above the reset value, None for a readout.
        host_range: largest |value| of static data that the host computes `host_drives` from.
        current_gain: how much the synaptic filter can accumulate, 1 without one.
        synaptic_bits: of the chip, see `Formats`.
        decays: True if the membrane decays.
    """
    # a bias carried by synapses takes a weight exponent where it is large, and does not set the scale
    shared = [c for c in chip_drives if not c.drive.constant]
    percentile = rule.name == "percentile"
    arriving = sum((groups.largest_row(_largest_sums(c.weight)) * c.message for c in chip_drives), _zeros(groups))
    current = arriving * current_gain
    host = sum((groups.largest_row(_largest_sums(h.map.matrix)) * host_range for h in host_drives), _zeros(groups))
    bias = groups.largest(np.abs(source.bias))
    d = source.dynamics
    start = groups.largest(np.abs(d.start - d.reset_value))
    membrane = (current + host + bias) * steps + start
    if calibration is not None and rule.name != "worst":
        seen = calibration.reach(calibration.current, source.name, groups=groups.count, percentile=percentile)
        total = calibration.reach(calibration.membrane, source.name, groups=groups.count, percentile=percentile)
        if seen is not None and total is not None:
            current, host = np.minimum(current, HEADROOM * seen), np.minimum(host, HEADROOM * seen)
            # what arrives is the difference of two currents
            arriving = np.minimum(arriving, HEADROOM * seen)
            membrane = np.minimum(membrane, HEADROOM * total)
    return ScaleProblem(
        registers=registers,
        max_weight_exp=max_weight_exp,
        weights=[c.weight for c in shared],
        grids=[c.grid for c in shared],
        reaches=[weight_reach(c.weight, groups, percentile=percentile) for c in shared],
        threshold=None if threshold is None else groups.largest(threshold),
        bias=bias + host,
        current=current,
        arriving=arriving,
        synaptic_bits=synaptic_bits,
        membrane=membrane,
        even_threshold=threshold is not None and groups.uniform(threshold),
        lattice=current_gain == 1.0
        and not decays
        and not (bias + host + start).any()
        and d.v_min is None
        and len(shared) == len(chip_drives),
    )


def weight_reach(weight: np.ndarray, groups: Groups, *, percentile: bool) -> np.ndarray:
    """[G] largest |weight| of a projection, or the percentile of those that are not zero."""
    rows = np.abs(weight).reshape(groups.count, -1)
    if not percentile:
        largest: np.ndarray = rows.max(axis=1)
        return largest
    return np.array([np.percentile(row[row > 0], PERCENTILE) if row.any() else 0.0 for row in rows])


def _zeros(groups: Groups) -> np.ndarray:
    return np.zeros(groups.count)


def _largest_sums(weight: np.ndarray) -> np.ndarray:
    """Of each row, the largest |sum| of its weights over any set of active inputs."""
    flat = weight.reshape(len(weight), -1)
    largest: np.ndarray = np.maximum(np.clip(flat, 0, None).sum(axis=1), -np.clip(flat, None, 0).sum(axis=1))
    return largest
