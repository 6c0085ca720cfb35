"""The same spiking network on other devices: measured where a counter is at hand, modelled for a GPU in any case."""

from __future__ import annotations

from typing import Literal

from ..figures import Part
from .cpu_measurement import MeasuredCpu
from .gpu_measurement import MeasuredGpu
from .gpu_roofline import ModelledGpu

THIS_MACHINES = "this machine's"


class Baseline(Part):
    """The same spiking network on a GPU. `measured_on`: another machine that did it, see elsewhere.py."""

    what: str
    status: Literal["measured", "modelled"]
    measured_on: str | None
    not_measured_because: str | None
    measured: list[MeasuredGpu]
    modelled: list[ModelledGpu]
    not_included: list[str]


class CpuBaseline(Part):
    """The same spiking network on a processor, or why it was not measured. `measured_on`: as of a GPU."""

    what: str
    measured_on: str | None
    not_measured_because: str | None
    measured: list[MeasuredCpu]
    not_included: list[str]


def gpu_baseline(
    measured: list[MeasuredGpu], modelled: list[ModelledGpu], not_measured: str, measured_on: str | None
) -> Baseline:
    """The report's part, with the reason where nothing was measured."""
    return Baseline(
        what="the same spiking network on a GPU",
        status="measured" if measured else "modelled",
        measured_on=measured_on if measured else None,
        not_measured_because=None if measured else not_measured,
        measured=measured,
        modelled=modelled,
        not_included=[
            "modelled: kernel launches and idle time (a real GPU at batch 1 is far slower), the host",
            "modelled: board power is taken for the whole time, an upper bound of power",
        ],
    )


def cpu_baseline(measured: list[MeasuredCpu] | None, not_measured: str, measured_on: str | None) -> CpuBaseline:
    """The report's part, with the reason where nothing was measured."""
    return CpuBaseline(
        what=f"the same spiking network on {'a' if measured and measured_on else THIS_MACHINES} processor",
        measured_on=measured_on if measured else None,
        not_measured_because=None if measured else not_measured,
        measured=measured or [],
        not_included=[
            "power supply, disks and fans; memory, where it has no counter of its own",
            "not modelled: no source gives this processor's peaks and power",
        ],
    )
