"""Whether real values lie in the range that a network was made for."""

from __future__ import annotations

import numpy as np

from ..chip_network.form import ChipInput
from ..errors import UserError

BYTE = 255


def require_in_range(chip_input: ChipInput, data: np.ndarray) -> None:
    """Holds data against what the compiler was told of it, and what its ranges are therefore proved for.

    A graded input's messages are held within their levels, so that a little beyond them is no danger; a host's bias is
    not.

    Args:
        data: real values, any shape.

    Raises:
        UserError: a bias input's values beyond the range; a graded input's beyond it by more than its width.
    """
    if chip_input.lowest is None or chip_input.highest is None or not data.size:
        return
    width = chip_input.highest - chip_input.lowest
    slack = 1e-6 * width if chip_input.mode == "bias" else width
    low, high = float(data.min()), float(data.max())
    if low < chip_input.lowest - slack or high > chip_input.highest + slack:
        raise out_of_range((low, high), (chip_input.lowest, chip_input.highest), chip_input.name)


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
