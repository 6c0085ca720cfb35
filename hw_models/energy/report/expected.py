"""The report's `expected`: what a figure would be on the chip, with the error that the model has shown elsewhere.

From the error against published measurements where it supports one; else the spread of the constants, called so.
"""

from __future__ import annotations

from typing import Literal

from ...chips.description import load_chip
from ..figures import Amount, Joules, Part
from ..silicon.comparison import models
from ..silicon.model_error import ModelError, model_error


class Expected(Part):
    """A figure of a sample with its range; joules or seconds. `high` null: no upper bound is known.

    Attributes:
        range_from: "expected error": the model's figure times its calibration, divided and multiplied by the factor
            within which published networks were predicted from each other. "spread of constants": the model's own.
        because: the sentence that says so, to be quoted with it.
    """

    quantity: Literal["dynamic energy", "time in a stream"]
    value: Amount
    low: Amount
    high: Amount | None
    range_from: Literal["expected error", "spread of constants"]
    because: str


class Silicon(Part):
    """The models of this chip against published measurements of it, and what follows for this network."""

    energy: Expected
    time: Expected | None
    errors: list[ModelError]


def silicon_figures(chip: str, dynamic: Joules, streamed: Joules | None) -> Silicon:
    """The report's part.

    Args:
        dynamic: modelled dynamic energy of a sample, by the chip's own terms.
        streamed: modelled time of a sample in a stream, if the network was mapped.
    """
    names = models(chip)
    errors = [model_error("dynamic energy", chip, name) for name in names]
    timing = model_error("time of a step", chip, names[0])
    return Silicon(
        energy=_expected("dynamic energy", dynamic, errors[0], chip),
        time=None if streamed is None else _expected("time in a stream", streamed, timing, chip),
        errors=[*errors, timing],
    )


def _expected(
    quantity: Literal["dynamic energy", "time in a stream"], modelled: Joules, error: ModelError, chip: str
) -> Expected:
    title = load_chip(chip).title
    if error.factor is None or error.calibration is None:
        return Expected(
            quantity=quantity,
            value=modelled.mean,
            low=modelled.low,
            high=modelled.high,
            range_from="spread of constants",
            because=f"{title}, {error.sentence}; the range is the constants' spread",
        )
    middle = modelled.mean * error.calibration
    return Expected(
        quantity=quantity,
        value=middle,
        low=middle / error.factor,
        high=middle * error.factor,
        range_from="expected error",
        because=f"{title}, {error.sentence}; the figure is the model's times {error.calibration:.2f}",
    )
