"""Arithmetic of the chips' neurons: the table of those that are known here, by the names that chips' files use."""

from __future__ import annotations

from ..chips.description import load_chip
from ..errors import UserError
from .contract import Arithmetic, Decays, NeuronState, Synapses
from .lava import LavaArithmetic

__all__ = ["ARITHMETICS", "Arithmetic", "Decays", "NeuronState", "Synapses", "arithmetic_of", "require_arithmetic"]

ARITHMETICS: dict[str, Arithmetic] = {arithmetic.name: arithmetic for arithmetic in (LavaArithmetic(),)}


def arithmetic_of(chip: str) -> Arithmetic:
    """The arithmetic of a chip's neurons.

    Raises:
        UserError: no such chip, or its file names an arithmetic or a reset that is not supported.
    """
    description = load_chip(chip)
    found = ARITHMETICS.get(description.arithmetic)
    if found is None:
        raise UserError(
            f"unknown arithmetic {description.arithmetic!r}",
            where=f"chip {chip}",
            remedy=f"choose one of {', '.join(ARITHMETICS)}",
        )
    unknown = set(description.formats.resets) - set(found.resets)
    if unknown:
        raise UserError(
            f"arithmetic {found.name} has no reset {', '.join(sorted(unknown))}",
            where=f"chip {chip}",
            remedy="list those that it has: " + ", ".join(found.resets),
        )
    return found


def require_arithmetic(chip: str, name: str, who: str) -> None:
    """Raises UserError if the chip's neurons compute otherwise than `who`, which has arithmetic `name` alone."""
    description = load_chip(chip)
    if description.arithmetic != name:
        raise UserError(
            f"{who} computes by arithmetic {name}, {description.title} by {description.arithmetic}",
            remedy="use --engine fast, or export for another chip",
        )
