"""The energy report in one sentence that a person can quote: nothing in it stands without its word."""

from __future__ import annotations

from pathlib import Path

from dalif_deploy.hw_models.chips.description import load_chip
from dalif_deploy.hw_models.energy.report.report import EnergyReport
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.reports.table_parts import or_unbounded

NAME_LENGTH = 40


def network_name(report: EnergyReport) -> str:
    """The exported folder's own name, shortened in its middle where it is long."""
    name = Path(report.artefact).name or "the network"
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH // 2]}…{name[1 - NAME_LENGTH // 2 :]}"


def chip_title(name: str) -> str:
    """The chip's name for people."""
    try:
        return load_chip(name).title
    except UserError:  # the report is older than this folder of chips
        return name


def error_sentence(report: EnergyReport) -> str:
    """How far the model has been from published chips, and what the headline takes of that; or why nothing is said."""
    expected, error = report.silicon.energy, report.silicon.errors[0]
    if expected.range_from != "expected error" or error.factor is None or error.calibration is None:
        return expected.because
    words = (
        f"within a factor {error.factor:.1f} in {error.networks} of {error.networks} published networks, "
        f"{error.runs} runs, each left out in turn"
    )
    if f"{error.calibration:.2f}" == "1.00":
        return words
    return f"{words}; headline: the model's sum times {error.calibration:.2f}, their calibration"


def energy_sentence(report: EnergyReport) -> str:
    """What one inference costs, by which model, over which samples, and what is left out."""
    expected, static = report.silicon.energy, report.energy.static
    if expected.high is None:
        joules = f"at least {readable(expected.low, 'J')} ({expected.range_from}, no upper bound)"
    elif expected.low == expected.high:
        joules = readable(expected.value, "J")
    else:
        between = f"{readable(expected.low, 'J')} to {readable(expected.high, 'J')}, {expected.range_from}"
        joules = f"{readable(expected.value, 'J')} ({between})"
    chips = "1 chip" if static.chips == 1 else f"{static.chips} chips"
    steps = "1 step" if report.steps == 1 else f"{report.steps} steps"
    samples = "1 sample" if report.samples == 1 else f"{report.samples:,} samples"
    data = f" of {report.data}" if report.data else ""
    silent = "" if report.counts.total.spikes.mean else ", in which no neuron fired"
    return (
        f"One inference of {network_name(report)} on {chip_title(report.chip)}, {steps}, costs {joules} of dynamic "
        f"energy ({report.energy.status}; mean of {samples}{data}{silent}); static energy of {chips} adds "
        f"{readable(static.low, 'J')} to {or_unbounded(static.high, 'J')} ({static.status}: depends on how long a step "
        "lasts)."
    )
