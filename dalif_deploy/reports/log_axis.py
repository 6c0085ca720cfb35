"""Ranges on a logarithmic axis, for values that lie decades apart."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

LABELS = 5  # at most so many ticks have room for a label


def on_log_axis(rows: list[dict[str, Any]], label: Callable[[float], str]) -> dict[str, Any] | None:
    """Places ranges in per cent of the axis, which reaches over whole decades.

    Args:
        rows: low, high (None: no upper bound is known) and whatever else; rows without a positive `low` are left out.
        label: text of a decade.

    Returns:
        rows with `left` and `width` (to the end of the axis where there is no upper bound), and ticks: at, text;
        None if nothing is left.
    """
    rows = [row for row in rows if row["low"] > 0]
    if not rows:
        return None
    ends = [value for row in rows for value in (row["low"], row["high"]) if value]
    first, last = math.floor(math.log10(min(ends))), math.ceil(math.log10(max(ends)))
    # room for what goes on without a bound, and for an axis at all
    if first == last or any(row["high"] is None and row["low"] > 10 ** (last - 0.5) for row in rows):
        last += 1

    def at(value: float) -> float:
        return round(100 * (math.log10(value) - first) / (last - first), 2)

    every = -(-(last - first + 1) // LABELS)
    return {
        "rows": [
            {
                **row,
                "left": at(row["low"]),
                "width": round((at(row["high"]) if row["high"] else 100) - at(row["low"]), 2),
            }
            for row in rows
        ],
        "ticks": [
            {"at": at(10.0**power), "text": re.sub(r"\.0+(?=\D|$)", "", label(10.0**power))}
            for power in range(first, last + 1, every)
        ],
    }
