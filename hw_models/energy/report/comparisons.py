"""Other devices' energy over the chip's, with what such a ratio must not be quoted without; all constants used."""

from __future__ import annotations

from typing import Literal

from ...chips.description import load_chip
from ..constant_set import load_constants
from ..figures import Amount, Count, Evidence, Part, Status, Trust
from ..models import ChipEnergy, Static
from ..opponents.gpu_measurement import MeasuredGpu
from ..opponents.gpu_roofline import ModelledGpu

HEADLINE_GPU = "gpu_a100"  # the one that is compared with where nothing can be measured


class StaticRange(Part):
    """A ratio with static energy, for both ends of its range."""

    chips: Count
    low: Amount
    high: Amount
    status: Literal["step length assumed"]


class Comparison(Part):
    """A ratio, with what it must not be quoted without."""

    text: str
    gpu: str
    batch: Count
    gpu_status: Status
    chip_status: Status
    dynamic_only: Amount
    dynamic_only_status: Literal["the chip's side is a lower bound"]
    with_one_chip_static: StaticRange
    with_static: StaticRange


class UsedConstant(Part):
    """A constant behind a figure, see `dalif_deploy.hw_models.energy.constant_set`."""

    set: str
    conditions: str
    name: str
    value: Amount
    low: Amount | None
    high: Amount | None
    unit: str
    scope: Literal["per-term", "all-in"]
    evidence: Evidence
    source: str
    trust: Trust
    note: str


def compare(
    chip: ChipEnergy, gpus: list[MeasuredGpu] | list[ModelledGpu], chip_name: str
) -> tuple[list[Comparison], str | None]:
    """GPU energy over chip energy, each ratio with the words that it must not be quoted without.

    Returns:
        (ratios, None), or ([], the reason) where the chip's own figures are assumed.
    """
    description = load_chip(chip_name)
    if description.energy.assumed:
        return [], f"no energy per event is published for {chip_name}: its figures are assumed"
    dynamic, static = chip.total.mean, chip.static
    if not dynamic:
        return [], "nothing happened on the chip"
    rows = []
    for gpu in gpus:
        if isinstance(gpu, ModelledGpu) and (gpu.constants != HEADLINE_GPU or gpu.precision != "fp32"):
            continue
        label = f"{gpu.gpu}, {gpu.precision}, batch {gpu.batch} ({gpu.status})"
        rows.append(
            Comparison(
                text=f"energy ratio, {label} / {description.title} (modelled)",
                gpu=gpu.gpu,
                batch=gpu.batch,
                gpu_status=gpu.status,
                chip_status=chip.status,
                dynamic_only=gpu.joules / dynamic,
                dynamic_only_status="the chip's side is a lower bound",
                with_one_chip_static=_ratio_with_static(gpu.joules, dynamic, static, 1),
                with_static=_ratio_with_static(gpu.joules, dynamic, static, static.chips),
            )
        )
    return rows, None


def _ratio_with_static(joules: float, dynamic: float, static: Static, chips: int) -> StaticRange:
    assert static.high is not None  # the table of Loihi 1 has both ends
    share = chips / static.chips
    return StaticRange(
        chips=chips,
        low=joules / (dynamic + share * static.high),
        high=joules / (dynamic + share * static.low),
        status="step length assumed",
    )


def used_constants(chip_name: str, modelled: list[ModelledGpu], *, sanafe: bool) -> list[UsedConstant]:
    """Every constant behind a figure of the report, with its source; `sanafe`: with those of SANA-FE's terms."""
    chip = load_chip(chip_name)
    names = dict.fromkeys(
        [
            chip.energy.constants,
            *([chip.sanafe.constants] if sanafe and chip.sanafe else []),
            "cmos45_horowitz2014",
            *(row.constants for row in modelled),
        ]
    )
    rows = []
    for name in names:
        chosen = load_constants(name)
        for key, constant in chosen.constants.items():
            rows.append(UsedConstant(set=name, conditions=chosen.conditions, name=key, **constant.model_dump()))
    return rows
