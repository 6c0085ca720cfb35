"""Published measurements, read from NAME.toml beside this file, and the events counted for them, from events.json."""

from __future__ import annotations

import json
import sys
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from ...errors import UserError
from ..figures import Count, Part, Trust
from .events import Events

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Source(Part):
    """Who says it, where, and how far that was read.

    Attributes:
        address: of what was read, with commit and file, or page and table.
        read: what of it was read for this project.
        trust: as of a constant.
    """

    reference: Annotated[str, Field(min_length=8)]
    address: Annotated[str, Field(min_length=8)]
    read: Literal["in full", "repository", "abstract", "quoted by another"]
    trust: Trust


class Run(Part):
    """One measurement. What the source does not state is absent.

    Attributes:
        events: entry of events.json; absent: the network can't be rebuilt.
        activity: "known": simulated with the authors' weights on their kind of samples; "similar": the
            authors' network with other thresholds or another frame; "stated": counts are the authors' own, nothing is
            simulated; "from structure": the network's form fixes it; "not stated": a range.
        dynamic_of: whose dynamic power it is; the embedded x86 cores are outside of every model here.
        static_watts: of one chip.
        step_of: what the time of a step contains.
        not_for_energy, not_for_time: why it does not count for the model's error; absent: it counts.
    """

    name: str
    events: str | None = None
    activity: Literal["known", "stated", "similar", "from structure", "not stated"]
    steps: Count | None = None
    cores: Positive | None = None
    volts: Positive | None = None
    dynamic_watts: float | None = None
    dynamic_joules: Positive | None = None
    dynamic_of: Literal["cores", "cores and x86"] | None = None
    total_joules: Positive | None = None
    static_watts: Positive | None = None
    step_seconds: Positive | None = None
    step_of: Literal["cores", "cores, x86 and input"] | None = None
    not_for_energy: str | None = None
    not_for_time: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Run:
        if (self.dynamic_joules or self.dynamic_watts) and self.dynamic_of is None:
            raise ValueError("dynamic_of must say whose power it is")
        if self.step_seconds and self.step_of is None:
            raise ValueError("step_of must say what the time contains")
        return self

    @property
    def joules(self) -> float | None:
        """Dynamic energy of an inference: stated, or power times the time of all steps."""
        if self.dynamic_joules is not None:
            return self.dynamic_joules
        if self.dynamic_watts is None or self.step_seconds is None or self.steps is None:
            return None
        return self.dynamic_watts * self.step_seconds * self.steps


class Measurement(Part):
    """A network that others measured.

    Attributes:
        assumed: what the source leaves open and was chosen here.
        missing: what a full reconstruction would still need.
    """

    name: str
    title: str
    chip: str
    board: str
    network: str
    source: Source
    assumed: list[str]
    missing: list[str]
    runs: list[Run]


class Counted(Part):
    """Events of a run: with a range where activity is not stated."""

    value: Events
    low: Events | None
    high: Events | None


def load_measurements() -> list[Measurement]:
    """All of them, sorted by chip and name.

    Raises:
        UserError: a file breaks a rule.
    """
    folder = resources.files("dalif_deploy.hw_models.energy") / "silicon"
    found = []
    for file in folder.iterdir():
        if file.name.endswith(".toml"):
            found.append(parse_measurement(file.name.removesuffix(".toml"), file.read_text(encoding="utf-8")))
    return sorted(found, key=lambda m: (m.chip, m.name))


def parse_measurement(name: str, text: str) -> Measurement:
    """A measurement from the text of its file.

    Raises:
        UserError: not TOML, or a field missing, unknown or out of its range.
    """
    try:
        return Measurement.model_validate({"name": name, **tomllib.loads(text)})
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"not valid TOML: {error}", where=name) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(first["msg"], where=f"{name}: {'.'.join(map(str, first['loc']))}") from error


def load_events() -> dict[str, Counted]:
    """Counts by the name of their entry."""
    file = resources.files("dalif_deploy.hw_models.energy") / "silicon" / "events.json"
    stored: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return {name: Counted(**{end: entry[end] for end in ("value", "low", "high")}) for name, entry in stored.items()}
