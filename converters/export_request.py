"""What the user of dalif-export asked for beside source and target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dalif_deploy.hw_models.compiler import ScaleRule
    from dalif_deploy.hw_models.samples.input_data import InputData


@dataclass
class CalibrationData:
    """Samples that scales are chosen by, and the name that export.json gives them."""

    name: str
    inputs: InputData


@dataclass
class ExportRequest:
    """What the user asked for beside source and target; None leaves it to what the network was trained for.

    Attributes:
        ram, flash: bytes of a microcontroller that the network must fit (target c).
        input_range: lowest and highest value of real-valued data.
    """

    chip: str | None = None
    steps: int | None = None
    input_mode: str | None = None
    weight_bits: int | None = None
    scale_rule: ScaleRule | None = None
    calibration: CalibrationData | None = None
    ram: int | None = None
    flash: int | None = None
    input_range: tuple[float, float] | None = None
