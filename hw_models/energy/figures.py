"""What the parts of the energy report share: nothing unsaid, figures over samples, the words of a figure.

Each part is built as the typed object that the JSON's schema describes; what breaks a rule of it is never built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, WrapValidator


def _as_given(value: Any, check: Callable[[Any], float]) -> Any:
    check(value)  # but a count stays an integer, in JSON too
    return value


Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0), WrapValidator(_as_given)]  # of something: events, joules, seconds
Share = Annotated[float, Field(ge=0, le=1)]
Status = Annotated[str, Field(pattern=r"^(measured|modelled|assumed)\b")]
Evidence = Literal["simulated", "measured", "assumed", "derived", "specified"]
Trust = Annotated[str, Field(pattern=r"^(Q|Q2|C|S|M)(/(Q|Q2|C|S|M))*$")]


class Part(BaseModel):
    """A part of the report: every field must be there, and no other. Fields are in the order of the JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(Part):
    """A part of one layer, projection or the like; as the last base class, it puts the name first."""

    name: str


class OverSamples(Part):
    """A figure over samples: mean, standard deviation (of these, no estimate for others), smallest, largest."""

    mean: Amount
    std: Amount
    best: Amount
    worst: Amount

    @classmethod
    def of(cls, values: np.ndarray) -> OverSamples:
        """The figure of `values` [samples]."""
        return OverSamples(**spread(values))


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


def spread(values: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation, best (smallest) and worst of `values` [samples]."""
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values)),
        "best": np.min(values).item(),
        "worst": np.max(values).item(),
    }
