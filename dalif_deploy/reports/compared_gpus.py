"""The GPUs that a report's ratios are about, each with its energy."""

from __future__ import annotations

from dalif_deploy.hw_models.energy.opponents.gpu_measurement import MeasuredGpu
from dalif_deploy.hw_models.energy.opponents.gpu_roofline import ModelledGpu
from dalif_deploy.hw_models.energy.report.report import EnergyReport


def compared_gpus(report: EnergyReport) -> list[MeasuredGpu | ModelledGpu]:
    """One for each of the report's `comparisons`, in their order."""
    known: list[MeasuredGpu | ModelledGpu] = [*report.baseline.measured, *report.baseline.modelled]
    found = []
    for row in report.comparisons:
        alike = [gpu for gpu in known if (gpu.gpu, gpu.batch, gpu.status) == (row.gpu, row.batch, row.gpu_status)]
        found.append(min(alike, key=lambda gpu: gpu.precision != "fp32"))
    return found
