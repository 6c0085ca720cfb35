"""Rounds a population and its projections to registers, and says what the rounding did."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hw_models.chip_network import (
    NO_CURRENT_FILTER,
    SYNAPSE_SHIFT,
    VTH_MAX,
    HostProjection,
    Population,
    Projection,
    encode_bias,
)
from hw_models.compiler.choose_scale import (
    INTEGER_TOLERANCE,
    UNIT,
    ScaleProblem,
    WeightGrid,
    choose_scale,
    decay_register,
    weight_grid,
)
from hw_models.compiler.populations import Drive, FloatPopulation
from hw_models.errors import UserError
from hw_models.graph.neuron_dynamics import compact


@dataclass
class ChipDrive:
    """A projection as the chip sees it: `weight` a message level, the largest |message|, and the side it comes from."""

    drive: Drive
    weight: np.ndarray
    message: int


@dataclass
class QuantizedPopulation:
    """Integers of one population, and a report of plain numbers."""

    population: Population
    projections: list[Projection]
    host: list[HostProjection]
    report: dict = field(default_factory=dict)


def quantize_population(
    source: FloatPopulation,
    chip_drives: list[ChipDrive],
    host_drives: list[Drive],
    *,
    steps: int,
    weight_bits: int,
    host_range: float,
) -> QuantizedPopulation:
    """Chooses the scale and rounds.

    Args:
        chip_drives: projections on the chip.
        host_drives: linear maps that the host computes from static data of at most `host_range` in magnitude.
    """
    d = source.dynamics
    _check_decays(source)
    grids = [weight_grid(c.weight, weight_bits) for c in chip_drives]
    threshold = None if not source.fires else np.asarray(d.threshold - d.reset_value, dtype=np.float64)
    if threshold is not None and (threshold < 0).any():
        raise UserError(
            f"threshold {threshold.min():g} lies below the reset value; the chip's threshold is not negative",
            where=source.name,
            remedy="train with a threshold above the reset value",
        )
    dv = decay_register(d.beta)
    du = np.array(NO_CURRENT_FILTER) if d.syn_beta is None else np.maximum(decay_register(d.syn_beta) - 1, 0)
    host_current = max((_largest_sum(h.map.weight) * host_range for h in host_drives), default=0.0)
    bias_reach = float(np.abs(source.bias).max(initial=0.0)) + host_current
    scale, bound_by = choose_scale(
        ScaleProblem(
            weights=[c.weight for c in chip_drives],
            grids=grids,
            threshold=threshold,
            bias=bias_reach,
            drive=sum(_largest_sum(c.weight) * c.message for c in chip_drives),
            current_gain=1.0 if d.syn_beta is None else float(4096 / (du.min() + 1)),
            steps=steps,
            lattice=d.syn_beta is None and bool((dv == 0).all()) and bias_reach == 0.0,
        )
    )
    vth = _threshold_register(source.name, threshold, scale, exact=bound_by.endswith("exact"))
    projections = [_projection(c, g, scale) for c, g in zip(chip_drives, grids, strict=True)]
    hosts = [
        HostProjection(
            h.name, h.source, source.name, h.map.weight * scale, _host_bias(source, h, scale), h.map.geometry
        )
        for h in host_drives
    ]
    constant = np.zeros(()) if hosts else source.bias * scale
    try:
        mant, exp = encode_bias(compact(constant))
    except OverflowError as error:
        raise UserError(str(error), where=source.name, remedy="reduce the bias in training") from error
    population = Population(
        source.name,
        source.shape,
        du,
        dv,
        vth,
        mant,
        exp,
        reset=d.reset,
        fires=source.fires,
        scale=np.array(scale),
    )
    report = _report(source, population, chip_drives, projections, scale, bound_by, threshold)
    return QuantizedPopulation(population, projections, hosts, report)


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


def _largest_sum(weight: np.ndarray) -> float:
    """Largest |sum| of one target neuron's weights over any set of active inputs."""
    flat = weight.reshape(len(weight), -1)
    return float(max(np.clip(flat, 0, None).sum(1).max(initial=0.0), -np.clip(flat, None, 0).sum(1).min(initial=0.0)))


def _threshold_register(name: str, threshold: np.ndarray | None, scale: float, *, exact: bool) -> np.ndarray:
    if threshold is None:
        return np.array(VTH_MAX)
    wanted = threshold * scale / UNIT
    # exact: the membrane moves in whole units, so "above the threshold" is decided by the unit below it
    vth = np.floor(wanted) if exact else np.rint(wanted)
    if (vth > VTH_MAX).any():
        raise UserError(
            f"threshold needs {vth.max():.0f}, the register holds {VTH_MAX}",
            where=name,
            remedy="lower the threshold in training",
        )
    return compact(vth).astype(np.int64)


def _projection(chip_drive: ChipDrive, grid: WeightGrid, scale: float) -> Projection:
    weight = chip_drive.weight * (scale / UNIT)
    reach = float(np.abs(weight).max(initial=0.0))
    exponent = 0
    while reach > (grid.full + grid.step / 2) * 2**exponent and exponent < 7:
        exponent += 1
    levels = np.rint(weight / 2**exponent / grid.step) * grid.step
    levels = np.clip(levels, grid.lowest, grid.highest).astype(np.int16)
    drive = chip_drive.drive
    return Projection(drive.name, drive.source, "", levels, exponent, drive.map.geometry, drive.map.delay)


def _host_bias(source: FloatPopulation, host: Drive, scale: float) -> np.ndarray:
    rows = len(host.map.weight)
    bias = np.asarray(source.bias)
    if bias.ndim and bias.size not in (1, rows):
        raise UserError(
            "a bias that differs within a channel can't be computed on the host",
            where=source.name,
            remedy="use --input graded",
        )
    return np.broadcast_to(bias.reshape(-1), rows) * scale


def _report(
    source: FloatPopulation,
    population: Population,
    chip_drives: list[ChipDrive],
    projections: list[Projection],
    scale: float,
    bound_by: str,
    threshold: np.ndarray | None,
) -> dict:
    wanted = [c.weight for c in chip_drives]
    made = [p.weight.astype(np.float64) * 2.0**p.weight_exp * UNIT / scale for p in projections]
    signal = sum(float((w**2).sum()) for w in wanted)
    error = sum(float(((w - m) ** 2).sum()) for w, m in zip(wanted, made, strict=True))
    overlap = sum(float((w * m).sum()) for w, m in zip(wanted, made, strict=True))
    trained_alpha = source.metadata.get("alpha")
    trained_alpha = float(trained_alpha) if trained_alpha is not None else None
    clipped = (
        sum(
            int((np.abs(w - m) > (UNIT * 2.0**p.weight_exp * g.step / 2 / scale) * (1 + INTEGER_TOLERANCE)).sum())
            for w, m, p, g in zip(
                wanted, made, projections, [weight_grid(p.weight, 8) for p in projections], strict=True
            )
        )
        if projections
        else 0
    )
    report = {
        "layer": source.name,
        "neurons": population.size,
        "alpha_trained": trained_alpha,
        "alpha_quantised": None if trained_alpha is None or signal == 0 else trained_alpha * overlap / signal,
        "beta_trained": _range(source.dynamics.beta),
        "beta_quantised": _range(1 - population.dv / 4096),
        "threshold_trained": None if threshold is None else _range(threshold),
        "threshold_quantised": None if threshold is None else _range(population.vth * float(UNIT) / scale),
        "scale": scale,
        "scale_bound_by": bound_by,
        "weight_sqnr_db": None if signal == 0 else (None if error == 0 else 10 * float(np.log10(signal / error))),
        "weights_exact": bool(projections) and error == 0,
        "weights_clipped": clipped,
    }
    if source.dynamics.syn_beta is not None:
        report["syn_beta_trained"] = _range(source.dynamics.syn_beta)
        report["syn_beta_quantised"] = _range(1 - (population.du + 1) / 4096)
    return report


def _range(values: np.ndarray) -> float | list[float]:
    values = np.asarray(values, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    return low if low == high else [low, high]


__all__ = ["SYNAPSE_SHIFT", "ChipDrive", "QuantizedPopulation", "quantize_population"]
