"""Chips as data: formats and limits, read from `hw_models/chips/NAME.toml`. A new chip is a new file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hw_models.errors import UserError

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib  # type: ignore[no-redef]

CHIP_FOLDER = Path(__file__).parent / "chips"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Formats(_Strict):
    """What numbers and features the chip has; widths are bits, delays steps."""

    inputs: tuple[Literal["spikes", "bias", "graded"], ...]
    resets: tuple[Literal["zero", "subtract"], ...]
    max_weight_bits: int = Field(ge=1, le=8)
    max_weight_exp: int = Field(ge=0, le=7)
    max_delay: int = Field(ge=0)
    max_message_bits: int = Field(default=1, ge=1, le=24)


class Limit(_Strict):
    """One limit with where it was read and how far to trust that."""

    value: int = Field(gt=0)
    source: str
    trust: Literal["Q", "Q2", "S", "C", "M"]


class ChipDescription(_Strict):
    """One chip."""

    name: str
    title: str
    formats: Formats
    limits: dict[str, Limit]


def chip_names() -> list[str]:
    """Names of all chips that have a file."""
    return sorted(path.stem for path in CHIP_FOLDER.glob("*.toml"))


def load_chip(name: str) -> ChipDescription:
    """The chip of that name.

    Raises:
        UserError: no such chip, or a broken description.
    """
    path = CHIP_FOLDER / f"{name}.toml"
    if name not in chip_names():
        raise UserError(f"unknown chip {name!r}", remedy=f"choose one of {', '.join(chip_names())}")
    try:
        return ChipDescription.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise UserError(f"broken chip description: {error}", where=path.name, remedy="repair the file") from error
