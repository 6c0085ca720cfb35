"""Constants of a device, read from constants/<name>.toml and checked: value, spread, unit, scope, evidence, source."""

from __future__ import annotations

import sys
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import UserError
from .units import convert

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Interval(BaseModel):
    """A figure and its spread, in one unit. `high` None: no upper bound is known, the figure is "at least"."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float | None


class Constant(BaseModel):
    """One physical constant.

    Attributes:
        low, high: published spread. Only `low`: the source calls the figure a minimum. Neither: no spread is known.
        scope: "per-term" prices one kind of event and is meant to be summed with others; "all-in" already
            contains everything the device does, so it can't be summed with anything.
        evidence: how the figure came about. "specified": a maker's data sheet.
        trust: how the source was read. Q: in the source itself; Q2: in a document that quotes it; C: computed from
            such figures; S: second-hand summary; M: from memory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Positive
    low: Positive | None = None
    high: Positive | None = None
    unit: Annotated[str, Field(pattern=r"^[A-Za-z0-9µ]{1,20}(/[A-Za-z0-9µ]{1,20})?$")]  # pint computes what it is given
    scope: Literal["per-term", "all-in"]
    evidence: Literal["simulated", "measured", "assumed", "derived", "specified"]
    source: Annotated[str, Field(min_length=8)]
    trust: Annotated[str, Field(pattern=r"^(Q|Q2|C|S|M)(/(Q|Q2|C|S|M))*$")]
    note: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Constant:
        if not (self.low or self.value) <= self.value <= (self.high or self.value):
            raise ValueError("value must lie between low and high")
        return self

    def interval(self, unit: str) -> Interval:
        """Value and spread in `unit`.

        Raises:
            UserError: the constant measures something else.
        """
        high = self.high if self.high is not None else (None if self.low is not None else self.value)
        return Interval(
            value=convert(self.value, self.unit, unit),
            low=convert(self.value if self.low is None else self.low, self.unit, unit),
            high=None if high is None else convert(high, self.unit, unit),
        )


class ConstantSet(BaseModel):
    """The constants of one device under one set of conditions.

    Attributes:
        device: its name in texts, where others are assumed to cost what it does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    device: str | None = None
    conditions: str
    constants: dict[str, Constant]

    def __getitem__(self, key: str) -> Constant:
        if key not in self.constants:
            raise UserError(f"there is no constant {key!r}", where=self.name)
        return self.constants[key]


@cache
def load_constants(name: str) -> ConstantSet:
    """The set of constants/<name>.toml, read once: a report asks for it some hundred times.

    Raises:
        UserError: there is no such set, or it breaks a rule.
    """
    folder = resources.files("dalif_deploy.hw_models.energy") / "constants"
    file = folder / f"{name}.toml"
    known = sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
    if name not in known:
        raise UserError(f"no constants named {name!r}", remedy=f"choose one of {', '.join(known)}")
    with resources.as_file(file) as path:
        return read_constants(path)


def read_constants(path: Path) -> ConstantSet:
    """The set that a file holds.

    Raises:
        UserError: as `parse_constants`, or no text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except ValueError as error:
        raise UserError(f"no text ({error})", where=path.name, remedy="write it in UTF-8") from error
    return parse_constants(path.stem, text)


def parse_constants(name: str, text: str) -> ConstantSet:
    """A set from the text of a TOML file.

    Raises:
        UserError: not TOML, a field missing or unknown, a value out of its range, an unknown unit.
    """
    try:
        found = ConstantSet.model_validate({"name": name, **tomllib.loads(text)})
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"not valid TOML: {error}", where=name) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(first["msg"], where=f"{name}: {'.'.join(map(str, first['loc']))}") from error
    for constant in found.constants.values():
        convert(1.0, constant.unit, constant.unit)
    return found


def constant_names(prefix: str) -> list[str]:
    """Names of the sets that start with `prefix`, sorted."""
    folder = resources.files("dalif_deploy.hw_models.energy") / "constants"
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.startswith(prefix) and f.name.endswith(".toml")
    )
