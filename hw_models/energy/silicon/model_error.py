"""How far a model is from chips that its calibration has not seen: networks left out in turn.

A model is calibrated by one factor: the geometric mean, over networks, of measured over modelled (a network with
several runs counts once). Each network's runs are then predicted with the factor of the other networks alone. The
factor of error is the larger of predicted over measured and its inverse; its worst over all runs is what the model's
figures are said to be good for. That takes at least two networks whose activity is known; else nothing is said.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, log
from statistics import median
from typing import Literal

from ..figures import Amount, Count, Part
from .comparison import Ratio, energy_ratios, time_ratios

Quantity = Literal["dynamic energy", "time of a step"]
NEEDED = 2  # networks of known activity, or leaving one out leaves none


class LeftOut(Part):
    """A network predicted from the others: their calibration, and the worst factor over its runs."""

    network: str
    calibration: Amount
    factor: Amount


class ModelError(Part):
    """Modelled against published measurements of one chip.

    Attributes:
        networks, runs: that count.
        lowest, middle, highest: modelled over measured, without calibration; `highest_run` and `lowest_run` name them.
        calibration: what modelled figures are multiplied with, from all networks; None where nothing is said.
        factor: within which each network was predicted from the others; None where nothing is said.
    """

    quantity: Quantity
    model: str
    networks: Count
    runs: Count
    lowest: Amount | None
    lowest_run: str | None
    middle: Amount | None
    highest: Amount | None
    highest_run: str | None
    left_out: list[LeftOut]
    calibration: Amount | None
    factor: Amount | None
    sentence: str


@lru_cache
def model_error(quantity: Quantity, chip: str, model: str) -> ModelError:
    """The error of one model for one chip."""
    ratios = energy_ratios() if quantity == "dynamic energy" else time_ratios()
    return error_of([r for r in ratios if r.chip == chip and r.model == model], quantity, model)


def error_of(ratios: list[Ratio], quantity: Quantity, model: str) -> ModelError:
    """The error that follows from comparisons of one model on one chip; those that do not count are left aside."""
    found = [r for r in ratios if r.counts]
    ordered = sorted(found, key=lambda r: r.ratio)
    networks = list(dict.fromkeys(r.network for r in found))
    known = {r.network for r in found if r.known}
    supported = len(known) >= NEEDED
    left_out = _left_out(found, networks) if supported else []
    factor = max((one.factor for one in left_out), default=None)
    return ModelError(
        quantity=quantity,
        model=model,
        networks=len(networks),
        runs=len(found),
        lowest=ordered[0].ratio if ordered else None,
        lowest_run=_name(ordered[0]) if ordered else None,
        middle=median(r.ratio for r in found) if found else None,
        highest=ordered[-1].ratio if ordered else None,
        highest_run=_name(ordered[-1]) if ordered else None,
        left_out=left_out,
        calibration=calibration(found) if supported else None,
        factor=factor,
        sentence=_sentence(quantity, len(networks), len(found), len(known), factor, ordered),
    )


def calibration(ratios: list[Ratio]) -> float:
    """Measured over modelled: geometric mean over networks of the geometric mean over their runs."""
    networks = {r.network for r in ratios}
    each = [_mean([log(1 / r.ratio) for r in ratios if r.network == network]) for network in sorted(networks)]
    return exp(_mean(each))


def _left_out(ratios: list[Ratio], networks: list[str]) -> list[LeftOut]:
    rows = []
    for network in networks:
        others = calibration([r for r in ratios if r.network != network])
        predicted = [r.ratio * others for r in ratios if r.network == network]
        rows.append(LeftOut(network=network, calibration=others, factor=max(max(p, 1 / p) for p in predicted)))
    return rows


def _sentence(
    quantity: Quantity, networks: int, runs: int, known: int, factor: float | None, ordered: list[Ratio]
) -> str:
    if factor is not None:
        return (
            f"{quantity}: within a factor {factor:.1f} in {networks} of {networks} published networks "
            f"({runs} runs), each predicted from the others"
        )
    if not ordered:
        return f"{quantity}: no published measurement could be rebuilt, so no error is known"
    return (
        f"{quantity}: modelled over measured is {ordered[0].ratio:.2f} to {ordered[-1].ratio:.2f} in {runs} published "
        f"runs; {known} of {networks} networks have known activity and {NEEDED} are needed, so no error is claimed"
    )


def _name(ratio: Ratio) -> str:
    return f"{ratio.network}: {ratio.run}"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
