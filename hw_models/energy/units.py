"""Units by `pint`, so that a factor of 1000 can't slip between a table's pJ and a total in J."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import UserError

if TYPE_CHECKING:
    import pint


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[Any]:
    import pint  # takes a moment to load: only when energy is computed

    return pint.UnitRegistry(cache_folder=None)


def convert(value: float, unit: str, to: str) -> float:
    """`value` given in `unit`, in unit `to`; exact up to float rounding.

    Raises:
        UserError: an unknown unit, or two that measure different things.
    """
    import pint

    try:
        return float(_registry().Quantity(value, unit).to(to).magnitude)
    except (pint.UndefinedUnitError, pint.DimensionalityError, pint.DefinitionSyntaxError) as error:
        raise UserError(f"unit {unit!r} can't be converted to {to!r}: {error}") from error


PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"))


def readable(value: float, unit: str) -> str:
    """Three significant digits with an SI prefix, such as `724.5 µJ` -> "725 µJ".

    Args:
        value: in the plain unit (J, W, s), not negative.
    """
    for scale, prefix in PREFIXES:
        if value >= scale * 0.9995:
            shown = value / scale
            digits = 0 if shown >= 99.95 else 1 if shown >= 9.995 else 2
            return f"{shown:,.{digits}f} {prefix}{unit}"
    return f"{value:.3g} {unit}"
