"""What rounding did to a layer, as plain numbers for tables and JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..chip_network.apply_weight import apply_weight
from ..chip_network.form import STATE_LIMIT, Population, Projection
from ..errors import UserError
from .calibration import Calibration
from .choose_scale import INTEGER_TOLERANCE, UNIT
from .populations import FloatPopulation
from .scale_problem import ChipDrive


def quantisation_report(
    source: FloatPopulation,
    population: Population,
    chip_drives: list[ChipDrive],
    projections: list[list[Projection]],
    made: list[np.ndarray],
    rows: list[np.ndarray],
    bound_by: str,
    threshold: np.ndarray | None,
) -> dict[str, Any]:
    """Trained and quantised values of a layer. Values that differ within the layer are [lowest, highest].

    Args:
        projections, made, rows: a drive: its integers, the float weights they stand for, and the scale of its rows.
    """
    wanted = [c.weight for c in chip_drives]
    signal = sum(float((w**2).sum()) for w in wanted)
    error = sum(float(((w - m) ** 2).sum()) for w, m in zip(wanted, made, strict=True))
    overlap = sum(float((w * m).sum()) for w, m in zip(wanted, made, strict=True))
    alpha = _trained_alpha(source)
    report = {
        "layer": source.name,
        "neurons": population.size,
        "alpha_trained": None if alpha is None else value_range(alpha),
        "alpha_quantised": None if alpha is None or signal == 0 else value_range(alpha * overlap / signal),
        "beta_trained": value_range(source.dynamics.beta),
        "beta_quantised": value_range(1 - population.dv / 4096),
        "threshold_trained": None if threshold is None else value_range(threshold),
        "threshold_quantised": None if threshold is None else value_range(population.vth * UNIT / population.scale),
        "scale": value_range(population.scale),
        "scale_bound_by": bound_by,
        "weight_sqnr_db": decibels(signal, error),
        "weights_exact": bool(projections) and error == 0,
        "weights_clipped": sum(map(_clipped, chip_drives, projections, made, rows)),
    }
    if source.dynamics.syn_beta is not None:
        report["syn_beta_trained"] = value_range(source.dynamics.syn_beta)
        report["syn_beta_quantised"] = value_range(1 - (population.du + 1) / 4096)
    return report


def observed_ranges(
    population: Population, chip_drives: list[ChipDrive], made: list[np.ndarray], calibration: Calibration
) -> dict[str, Any]:
    """What the layer needs on the calibration data: accuracy of its current, and bits of its 24-bit registers."""
    signal = error = 0.0
    for c, weight in zip(chip_drives, made, strict=True):
        if c.drive.source in calibration.frames:
            x = torch.from_numpy(calibration.frames[c.drive.source]).double()
            geometry = c.drive.map.geometry
            signal += float(apply_weight(x, torch.from_numpy(c.weight), geometry).square().sum())
            error += float(apply_weight(x, torch.from_numpy(c.weight - weight), geometry).square().sum())
    report: dict[str, Any] = {"current_sqnr_db": decibels(signal, error)}
    for kind, ranges in (("current", calibration.current), ("membrane", calibration.membrane)):
        reach = calibration.reach(ranges, population.name, groups=population.scale.size, percentile=False)
        if reach is not None:
            peak = float((reach * population.scale.ravel()).max())
            report[f"{kind}_bits_seen"] = int(max(peak, 1)).bit_length() + 1
            report[f"{kind}_overflow_seen"] = peak >= STATE_LIMIT
    return report


def decibels(signal: float, error: float) -> float | None:
    """10 log10(signal / error); None where either is 0."""
    return None if signal == 0 or error == 0 else 10 * float(np.log10(signal / error))


def value_range(values: np.ndarray) -> float | list[float]:
    """One number, or [lowest, highest] where they differ."""
    values = np.asarray(values, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    return low if low == high else [low, high]


def _clipped(c: ChipDrive, projections: list[Projection], made: np.ndarray, rows: np.ndarray) -> int:
    if len(projections) > 1:  # a bias, whose second projection carries the rest
        return 0
    step = c.grid.step * 2.0 ** projections[0].weight_exp
    return int((np.abs(c.weight - made) * rows / UNIT > step * (0.5 + INTEGER_TOLERANCE)).sum())


def _trained_alpha(source: FloatPopulation) -> np.ndarray | None:
    alpha = source.metadata.get("alpha")
    try:
        found = None if alpha is None else np.asarray(alpha, dtype=np.float64)
        if found is not None and found.size == 0:
            raise ValueError("empty")
        return found
    except (TypeError, ValueError) as error:
        raise UserError(
            "alpha in the metadata is not a number", where=source.name, remedy="repair the graph"
        ) from error
