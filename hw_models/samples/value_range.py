"""Whether real values lie in the range that a network was made for."""

from __future__ import annotations

import numpy as np

from ..chip_network.form import ChipInput
from ..errors import UserError

BYTE = 255
STRAY = 1e-3  # share of values that may lie anywhere: a camera's hot pixels


def require_in_range(chip_input: ChipInput, data: np.ndarray) -> None:
    """Holds data against what the compiler was told of it, and what its ranges are therefore proved for.

    A graded input's messages are held within their levels, so that values beyond them break no proof; a host's bias is
    not.

    Args:
        data: real values, any shape.

    Raises:
        UserError: a bias input's values beyond the range.
    """
    if chip_input.mode != "bias" or chip_input.lowest is None or chip_input.highest is None or not data.size:
        return
    expected = chip_input.lowest, chip_input.highest
    if share_beyond(data, expected) > 0:
        raise out_of_range((float(data.min()), float(data.max())), expected, chip_input.name)


def require_meant(chip_input: ChipInput, data: np.ndarray) -> None:
    """As `require_in_range`, and of graded messages: values so far beyond the range that they can't be meant.

    Raises:
        UserError: such values.
    """
    require_in_range(chip_input, data)
    if chip_input.mode != "graded" or chip_input.lowest is None or chip_input.highest is None or not data.size:
        return
    expected = chip_input.lowest, chip_input.highest
    if far_beyond(data, expected):
        raise out_of_range((float(data.min()), float(data.max())), expected, chip_input.name)


def far_beyond(data: np.ndarray, expected: tuple[float, float]) -> bool:
    """Whether more than stray values lie outside the range by more than its width: such data can't be meant."""
    return share_beyond(data, expected, slack=expected[1] - expected[0]) > STRAY


def share_beyond(data: np.ndarray, expected: tuple[float, float], *, slack: float | None = None) -> float:
    """Share of the values outside the range by more than `slack`, by default what rounding makes of its ends."""
    if slack is None:
        slack = 1e-6 * (expected[1] - expected[0])
    low, high = expected[0] - slack, expected[1] + slack
    if data.min() >= low and data.max() <= high:  # nearly always, and less memory
        return 0.0
    return float(((data < low) | (data > high)).mean())


def out_of_range(seen: tuple[float, float], expected: tuple[float, float], where: str) -> UserError:
    """The error, with the likely cause as its remedy."""
    remedy = "scale the data to that range, or export with --input-range MIN,MAX"
    if expected == (0, 1) and 1 < seen[1] <= BYTE and seen[0] >= 0:
        remedy = f"divide by {BYTE} if these are 8-bit images, or export with --input-range 0,{seen[1]:g}"
    return UserError(
        f"the data has values {seen[0]:.4g} to {seen[1]:.4g}, the network was made for {expected[0]:.4g} to "
        f"{expected[1]:.4g}",
        where=where,
        remedy=remedy,
    )
