"""Modelled over measured, run by run: dynamic energy, static power of a chip, length of a step."""

from __future__ import annotations

from math import sqrt

from ...chips.description import load_chip
from ..constant_set import load_constants
from ..figures import Amount, Part
from .measurements import Counted, Measurement, Run, load_events, load_measurements


class Ratio(Part):
    """A modelled figure beside a measured one.

    Attributes:
        model: name of the set of constants.
        low, high: of the modelled figure, where activity is not stated or a time has two ends; else as `modelled`.
        known: the network's activity is known, see `Run.activity`.
        counts: the run counts for the model's error; if not, `not_because` says why.
    """

    network: str
    run: str
    chip: str
    model: str
    measured: Amount
    modelled: Amount
    low: Amount
    high: Amount
    known: bool
    counts: bool
    not_because: str | None

    @property
    def ratio(self) -> float:
        """Modelled over measured."""
        return self.modelled / self.measured


class Statics(Part):
    """Static power of one chip, in watts."""

    network: str
    run: str
    chip: str
    model: str
    measured: Amount
    modelled: Amount


def models(chip: str) -> list[str]:
    """Names of the sets of constants that price events on a chip; the first is the report's."""
    description = load_chip(chip)
    return [description.energy.constants, *([description.sanafe.constants] if description.sanafe else [])]


def energy_ratios() -> list[Ratio]:
    """Dynamic energy of an inference: every run that states one and can be rebuilt, by every model of its chip."""
    return [
        _ratio(measurement, run, model, run.joules, _priced(counted, model, run), run.not_for_energy)
        for measurement, run, counted in _rebuilt()
        if run.joules is not None
        for model in models(measurement.chip)
    ]


def time_ratios() -> list[Ratio]:
    """Length of a step, of the runs that state one and whose cores are known; modelled: the geometric middle."""
    rows = []
    for measurement, run, counted in _rebuilt():
        model = models(measurement.chip)[0]
        ends = [counted.value.step_seconds(model)]
        if run.step_seconds is None or ends[0] is None:
            continue
        ends += [events.step_seconds(model) for events in (counted.low, counted.high) if events is not None]
        low, high = min(end[0] for end in ends if end), max(end[1] for end in ends if end)
        figures = (sqrt(ends[0][0] * ends[0][1]), low, high)
        rows.append(_ratio(measurement, run, model, run.step_seconds, figures, run.not_for_time))
    return rows


def static_powers() -> list[Statics]:
    """Static power of a chip: every run that states it."""
    rows = []
    for measurement in load_measurements():
        model = models(measurement.chip)[0]
        modelled = load_constants(model)["static_power_chip"].interval("watt").value
        rows += [
            Statics(
                network=measurement.name,
                run=run.name,
                chip=measurement.chip,
                model=model,
                measured=run.static_watts,
                modelled=modelled,
            )
            for run in measurement.runs
            if run.static_watts is not None
        ]
    return rows


def _rebuilt() -> list[tuple[Measurement, Run, Counted]]:
    events = load_events()
    return [(m, run, events[run.events]) for m in load_measurements() for run in m.runs if run.events is not None]


def _priced(counted: Counted, model: str, run: Run) -> tuple[float, float, float]:
    """Energy of the run's steps, which may be more than were counted: middle, low, high."""
    found = [
        sum(events.joules(model).values()) * ((run.steps or events.steps) / events.steps)
        for events in (counted.value, counted.low, counted.high)
        if events is not None
    ]
    return found[0], min(found), max(found)


def _ratio(
    measurement: Measurement,
    run: Run,
    model: str,
    measured: float,
    modelled: tuple[float, float, float],
    not_because: str | None,
) -> Ratio:
    value, low, high = modelled
    return Ratio(
        network=measurement.name,
        run=run.name,
        chip=measurement.chip,
        model=model,
        measured=measured,
        modelled=value,
        low=low,
        high=high,
        known=run.activity == "known",
        counts=not_because is None,
        not_because=not_because,
    )
