"""How large a network may claim to be: a file of a few bytes can name any shape."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..errors import UserError

# a thousand Loihi 1 chips; a float64 a neuron is then 1 GiB
MOST_NEURONS = 1 << 27


def check_size(shapes: Iterable[Sequence[int]], *, where: str | None = None) -> int:
    """Values of all shapes together.

    Raises:
        UserError: more than `MOST_NEURONS`, or a shape with an axis below 1.
    """
    total = 0
    for shape in shapes:
        if any(n < 1 for n in shape):
            raise UserError(f"shape {list(map(int, shape))}", where=where, remedy="give every axis at least one place")
        total += math.prod(int(n) for n in shape)
        if total > MOST_NEURONS:
            raise UserError(
                f"claims {total:,} values in its layers, more than {MOST_NEURONS:,}",
                where=where,
                remedy="take a smaller network",
            )
    return total
