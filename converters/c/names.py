"""C identifiers for the names of a network."""

from __future__ import annotations

import re
from collections.abc import Iterable


def c_names(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Name -> identifier in lower case, all different.

    The code puts `snn_` before each of them or a word after it, so that none can be a keyword of C.

    Args:
        taken: identifiers that mean something else.
    """
    used = set(taken)
    chosen = {}
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "layer"
        plain = f"n{plain}" if plain[0].isdigit() else plain
        candidate, number = plain, 2
        while candidate in used:
            candidate, number = f"{plain}_{number}", number + 1
        used.add(candidate)
        chosen[name] = candidate
    return chosen
