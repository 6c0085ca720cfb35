"""Rounds a population and its projections to registers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..arithmetic import Arithmetic
from ..chip_network.apply_weight import apply_weight
from ..chip_network.form import STATE_LIMIT, HostProjection, Population, Projection, encode_bias
from ..chips.description import ChipDescription
from ..errors import UserError
from ..neurons.recurrence import compact
from .calibration import Calibration
from .choose_scale import (
    LARGEST_WEIGHT,
    UNIT,
    ScaleProblem,
    WeightGrid,
    choose_scale,
    weight_grid,
)
from .populations import Drive, FloatPopulation
from .quantisation_report import observed_ranges, quantisation_report
from .scale_groups import Groups
from .scale_problem import ChipDrive, ScaleRule, scale_problem, weight_reach

FULL_WEIGHT_BITS = 8
CLIPS = 2.0 ** (np.arange(17) / 4)  # how far beyond the largest integer the largest weight may lie, tried one by one


@dataclass
class QuantizedPopulation:
    """Integers of one population, and a report of plain numbers."""

    population: Population
    projections: list[Projection]
    host: list[HostProjection]
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Scaling:
    """Scale and clipping of each group, and what bounds the scale."""

    scales: np.ndarray
    clips: np.ndarray
    bound_by: str


def quantize_population(
    source: FloatPopulation,
    chip_drives: list[ChipDrive],
    host_drives: list[Drive],
    *,
    chip: ChipDescription,
    arithmetic: Arithmetic,
    steps: int,
    host_range: float,
    rule: ScaleRule,
    calibration: Calibration | None = None,
) -> QuantizedPopulation:
    """Chooses the scale and rounds.

    Args:
        chip_drives: projections on the chip.
        host_drives: linear maps that the host computes from static data of at most `host_range` in magnitude.
        calibration: needed by the rules "percentile" and "error".

    Raises:
        UserError: a negative decay or threshold, a threshold or bias beyond its register.
    """
    d = source.dynamics
    _check_decays(source)
    threshold = None if not source.fires else np.asarray(d.threshold - d.reset_value, dtype=np.float64)
    if threshold is not None and (threshold < 0).any():
        raise UserError(
            f"threshold {threshold.min():g} lies below the reset value; the chip's threshold is not negative",
            where=source.name,
            remedy="train with a threshold above the reset value",
        )
    if d.max_spikes > 1 and threshold is not None and not (threshold > 0).all():
        raise UserError(
            "several spikes a step and a threshold of 0",
            where=source.name,
            remedy="train with a threshold above the reset value",
        )
    max_exp = chip.formats.max_weight_exp
    decays = arithmetic.decays(d.beta, d.syn_beta)
    # a readout's channels are compared with each other: one scale
    groups = Groups(source.shape, source.shape[0] if rule.group == "channel" and source.fires else 1)
    problem = scale_problem(
        source,
        groups,
        chip_drives,
        host_drives,
        threshold,
        registers=chip.registers,
        max_weight_exp=max_exp,
        steps=steps,
        host_range=host_range,
        current_gain=decays.current_gain,
        synaptic_bits=chip.formats.synaptic_bits,
        decays=bool((decays.dv != 0).any()),
        rule=rule,
        calibration=calibration,
    )
    scales, bound_by = choose_scale(problem)
    if len(scales) == 1:  # exact for the layer as a whole
        groups = Groups(source.shape, 1)
    scaling = _Scaling(scales, np.ones_like(scales), bound_by)
    if rule.name == "error" and bound_by == LARGEST_WEIGHT and calibration is not None:
        scaling = _least_error(problem, scaling, groups, chip_drives, calibration, max_exp)
    scale = groups.spread(scaling.scales)
    percentile = rule.name == "percentile"
    projections = [_projections(c, groups, scaling, max_exp, percentile=percentile) for c in chip_drives]
    hosts = [_host_projection(source, groups, scaling, h, first=h is host_drives[0]) for h in host_drives]
    registers = chip.registers
    bias = compact(np.zeros(()) if hosts else source.bias * scale)
    try:
        mant, exp = encode_bias(bias, registers.largest_mantissa, registers.max_bias_exp)
    except OverflowError as error:
        raise UserError(str(error), where=source.name, remedy="reduce the bias in training") from error
    vth = _threshold_register(
        source.name, threshold, scale, registers.largest_threshold, exact=bound_by.endswith("exact")
    )
    if d.max_spikes > 1:
        vth = np.maximum(vth, 1)
    population = Population(
        source.name, source.shape, decays.du, decays.dv, vth, mant, exp, reset=d.reset, fires=source.fires, scale=scale,
        v_min=None if d.v_min is None else _membrane(d.v_min - d.reset_value, scale),
        v_start=_membrane(d.start - d.reset_value, scale),
        refractory=d.refractory if source.fires else 0,
        max_spikes=d.max_spikes if source.fires else 1,
    )  # fmt: skip
    rows = [groups.rows(scaling.scales, c.weight) for c in chip_drives]
    made = list(map(_stands_for, projections, rows))
    report = quantisation_report(source, population, chip_drives, projections, made, rows, scaling.bound_by, threshold)
    if calibration is not None:
        report.update(observed_ranges(population, chip_drives, made, calibration))
    return QuantizedPopulation(population, [p for each in projections for p in each], hosts, report)


def _least_error(
    problem: ScaleProblem,
    start: _Scaling,
    groups: Groups,
    chip_drives: list[ChipDrive],
    calibration: Calibration,
    max_exp: int,
) -> _Scaling:
    """Tries stronger and stronger clipping; each group takes the scale with the least error of its current."""
    if not all(c.drive.source in calibration.frames for c in chip_drives if not c.drive.constant):
        return start
    best, clips = start.scales, start.clips
    least = np.full(groups.count, np.inf)
    for clip in CLIPS:
        scales, _ = choose_scale(problem, float(clip))
        scaling = _Scaling(scales, np.full(groups.count, clip), "")
        error = np.zeros(groups.count)
        for c in chip_drives:
            if not c.drive.constant:
                rows = groups.rows(scales, c.weight)
                lost = c.weight - _stands_for(_projections(c, groups, scaling, max_exp, percentile=False), rows)
                x = torch.from_numpy(calibration.frames[c.drive.source])
                current = apply_weight(x, torch.from_numpy(lost.astype(np.float32)), c.drive.map.geometry)
                # of equal size a group, so that groups come first in [N, rows, ...]
                error += current.reshape(len(x), groups.count, -1).double().square().mean(dim=(0, 2)).numpy()
        better = error < least
        best, clips = np.where(better, scales, best), np.where(better, clip, clips)
        least = np.where(better, error, least)
    return _Scaling(best, clips, "least error on the calibration data")


def _check_decays(source: FloatPopulation) -> None:
    d = source.dynamics
    for label, beta in (("membrane decay beta", d.beta), ("synaptic decay", d.syn_beta)):
        if beta is None:
            continue
        if (beta < 0).any():
            raise UserError(
                f"{label} is negative ({np.min(beta):.4g}); the chip's decays lie between 0 and 1",
                where=source.name,
                remedy="retrain with --activation sigmoid or clamp, which keep it in [0, 1]",
            )
        if (beta > 1).any():
            raise UserError(
                f"{label} is above 1 ({np.max(beta):.4g})",
                where=source.name,
                remedy="retrain with a bounded decay",
            )


def _threshold_register(
    name: str, threshold: np.ndarray | None, scale: np.ndarray, largest: int, *, exact: bool
) -> np.ndarray:
    if threshold is None:
        return np.array(largest)
    wanted = threshold * scale / UNIT
    # exact: the membrane moves in whole units, so "above the threshold" is decided by the unit below it
    vth = np.floor(wanted) if exact else np.rint(wanted)
    if (vth > largest).any():
        raise UserError(
            f"threshold needs {vth.max():.0f}, the register holds {largest}",
            where=name,
            remedy="lower the threshold in training",
        )
    return compact(vth).astype(np.int64)


def _membrane(value: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """A membrane, counted from the reset value, in integer units; the register's ends hold it."""
    limit = STATE_LIMIT - 1
    return compact(np.clip(np.rint(value * scale), -limit, limit)).astype(np.int64)


def _projections(
    c: ChipDrive, groups: Groups, scaling: _Scaling, max_exp: int, *, percentile: bool
) -> list[Projection]:
    """Integers of a projection; a bias that needs an exponent gets a second projection for what the first leaves."""
    wanted = c.weight * (groups.rows(scaling.scales, c.weight) / UNIT)
    reach = weight_reach(c.weight, groups, percentile=percentile and not c.drive.constant) * scaling.scales / UNIT
    if not c.drive.constant:
        return [_rounded(c.drive, wanted, c.grid, float((reach / scaling.clips).max(initial=0.0)), max_exp)]
    first = _rounded(c.drive, wanted, c.grid, float(reach.max(initial=0.0)), max_exp)
    if first.weight_exp == 0:
        return [first]
    rest = wanted - first.weight * 2.0**first.weight_exp
    second = _rounded(c.drive, rest, weight_grid(rest, FULL_WEIGHT_BITS), float(np.abs(rest).max()), max_exp)
    second.name += ".rest"
    return [first, second]


def _rounded(drive: Drive, weight: np.ndarray, grid: WeightGrid, reach: float, max_exp: int) -> Projection:
    """Integers of float `weight` in units of 64; the smallest exponent under which `reach` is not clipped."""
    exponent = 0
    while reach > (grid.full + grid.step / 2) * 2**exponent and exponent < max_exp:
        exponent += 1
    levels = np.rint(weight / 2**exponent / grid.step) * grid.step
    levels = np.clip(levels, grid.lowest, grid.highest).astype(np.int16)
    return Projection(drive.name, drive.source, "", levels, exponent, drive.map.geometry, drive.map.delay)


def _stands_for(projections: list[Projection], rows: np.ndarray) -> np.ndarray:
    """The float weights that the integers of one drive stand for."""
    return sum(p.weight * 2.0**p.weight_exp for p in projections) * UNIT / rows


def _host_projection(
    source: FloatPopulation, groups: Groups, scaling: _Scaling, host: Drive, *, first: bool
) -> HostProjection:
    weight = host.map.matrix
    rows = groups.rows(scaling.scales, weight)
    bias = np.zeros(len(weight))
    if first:  # of several, one carries the population's own bias
        own = np.asarray(source.bias)
        if own.ndim and own.size not in (1, len(weight)):
            raise UserError(
                "a bias that differs within a channel can't be computed on the host",
                where=source.name,
                remedy="use --input graded",
            )
        bias = np.broadcast_to(own.reshape(-1), len(weight)) * rows.reshape(-1)
    return HostProjection(host.name, host.source, source.name, weight * rows, bias, host.map.geometry)
