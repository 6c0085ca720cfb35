"""What the parts of the report's schema share: nothing unsaid, counts over samples, the words of a figure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]  # of something: events, joules, seconds
Share = Annotated[float, Field(ge=0, le=1)]
Status = Annotated[str, Field(pattern=r"^(measured|modelled|assumed)\b")]
Evidence = Literal["simulated", "measured", "assumed", "derived", "specified"]
Trust = Annotated[str, Field(pattern=r"^(Q|Q2|C|S|M)(/(Q|Q2|C|S|M))*$")]


class Part(BaseModel):
    """A part of the report: every field must be there, and no other."""

    model_config = ConfigDict(extra="forbid")


class OverSamples(Part):
    """A figure over samples: mean, standard deviation, smallest, largest."""

    mean: Amount
    std: Amount
    best: Amount
    worst: Amount


class Joules(OverSamples):
    """An energy (or a time) over samples; `low` and `high` by the spread of its constants, `high` null: unbounded."""

    low: Amount
    high: Amount | None


class Term(Part):
    """So many events at so much each."""

    name: str
    constant: str
    evidence: Evidence
    count: OverSamples
    joules: Joules
