"""Several energy reports side by side: the figures that one would compare, and what forbids comparing them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dalif_deploy.hw_models.energy.figures import Joules
from dalif_deploy.hw_models.energy.opponents.memory_accounting import RELU, SPIKING, which_is_less
from dalif_deploy.hw_models.energy.report.mapping import Fits
from dalif_deploy.hw_models.energy.report.report import EnergyReport
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.reports.energy_sentence import chip_title, energy_sentence, error_sentence
from dalif_deploy.reports.status_words import look, mapping_word
from dalif_deploy.reports.table_parts import energy_range, or_unbounded, shown_count

MISSING = "-"


@dataclass(frozen=True)
class ComparedReports:
    """Reports and what stands beside what.

    Attributes:
        names: one a report, all different.
        reports: in the order given.
        rows: (what, figure a report).
        cautions: why figures of these reports may not be held against each other.
    """

    names: list[str]
    reports: list[EnergyReport]
    rows: list[tuple[str, list[str]]]
    cautions: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the rows, and a sentence a report."""
        return {
            "report": "dalif-energy comparison",
            "reports": [
                {"name": name, "sentence": energy_sentence(report)}
                for name, report in zip(self.names, self.reports, strict=True)
            ],
            "rows": [{"what": what, "figures": figures} for what, figures in self.rows],
            "cautions": self.cautions,
        }


def read_report(path: Path) -> EnergyReport:
    """Reads what `dalif-energy --json` wrote.

    Raises:
        UserError: missing, or not such a file.
    """
    remedy = "write one with dalif-energy FOLDER --data NAME:SPLIT --json FILE"
    try:
        return EnergyReport.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(error.strerror or "can't be read", where=str(path), remedy=remedy) from error
    except (ValidationError, ValueError, RecursionError) as error:
        raise UserError(
            "is no report of dalif-energy, or of another version", where=str(path), remedy=remedy
        ) from error


def compare_reports(named: list[tuple[str, EnergyReport]]) -> ComparedReports:
    """Sets reports side by side.

    Args:
        named: (file's name, report).
    """
    reports = [report for _, report in named]
    names = [name for name, _ in named]
    names = [f"{name} ({index})" if names.count(name) > 1 else name for index, name in enumerate(names, 1)]
    columns = [_figures(report) for report in reports]
    rows = [(what, [column[what] for column in columns]) for what in columns[0]]
    return ComparedReports(names, reports, rows, _cautions(reports))


def _figures(report: EnergyReport) -> dict[str, str]:
    total, static, latency = report.energy.total, report.energy.static, report.latency
    int8 = {row.network: row.total for row in report.arithmetic_45nm.rows if row.precision == "int8"}
    mapping, account, beside = report.mapping, report.memory_45nm, report.equal_accuracy
    memory = {row.network: row.total for row in account.rows}
    relu = memory.get(RELU) if beside is None else beside.baseline_memory.total
    return {
        "network": report.artefact or MISSING,
        "chip": chip_title(report.chip),
        "samples": f"{report.samples:,} of {report.data or 'samples given'}",
        "steps": f"{report.steps:,}",
        "expected on the chip": _expected(report),
        "error": error_sentence(report),
        "dynamic energy, model's sum": f"{readable(total.mean, 'J')} ({energy_range(total)}) [{report.energy.status}]",
        "static energy": f"{readable(static.low, 'J')} to {or_unbounded(static.high, 'J')} [{static.status}]",
        "SANA-FE's terms": _energy(report.energy_sanafe.total, report.energy_sanafe.status)
        if report.energy_sanafe
        else MISSING,
        "cores": f"{mapping.cores:,} [{mapping_word(mapping)}]" if isinstance(mapping, Fits) else mapping.status,
        "time in a stream": MISSING
        if latency is None
        else f"{readable(latency.streamed.low, 's')} to {or_unbounded(latency.streamed.high, 's')} [{latency.status}]",
        "synaptic operations": f"{shown_count(report.counts.total.synaptic_operations.mean)} [exact]",
        "spikes": f"{shown_count(report.counts.total.spikes.mean)} [exact]",
        "int8 arithmetic, spiking": _energy(int8.get("spiking"), report.arithmetic_45nm.status),
        "int8 arithmetic, ReLU": _energy(int8.get("ReLU network"), report.arithmetic_45nm.status),
        "int8 ReLU by --baseline": _relu(report),
        "costs less, int8 arithmetic": _cheaper(report),
        "memory priced, spiking": _energy(memory[SPIKING], account.status),
        "memory priced, int8 ReLU": _energy(relu, account.status),
        "costs less, memory priced": MISSING if relu is None else which_is_less(memory[SPIKING], relu),
        "GPU's energy over the chip's": _gpu(report),
        "check": report.check.sentence() if report.check else "none given",
    }


def _expected(report: EnergyReport) -> str:
    expected = report.silicon.energy
    if expected.high is None:
        figure = f"at least {readable(expected.low, 'J')} ({expected.range_from}, no upper bound)"
    else:
        ends = f"{readable(expected.low, 'J')} to {readable(expected.high, 'J')}"
        figure = f"{readable(expected.value, 'J')} ({ends}, {expected.range_from})"
    return f"{figure} [{report.energy.status}]"


def _relu(report: EnergyReport) -> str:
    """The ReLU network that a report was made beside, with both accuracies."""
    beside = report.equal_accuracy
    if beside is None:
        return "none given"
    accuracies = f"{beside.baseline.accuracy:.1%}, spiking {beside.spiking_accuracy:.1%}"
    equal = "equal accuracy" if beside.equal else "not of equal accuracy"
    return f"{_energy(beside.baseline_joules, beside.status)}, {equal}: {accuracies}"


def _cheaper(report: EnergyReport) -> str:
    """Which of the two networks the arithmetic favours; the ReLU network of equal accuracy where one was given."""
    beside = report.equal_accuracy
    if beside is None:
        return report.arithmetic_45nm.against_int8() or MISSING
    return {"baseline": "the ReLU network", "spiking": "the spiking network"}.get(beside.less, beside.less)


def _gpu(report: EnergyReport) -> str:
    if not report.comparisons:
        return f"no ratio: {report.no_comparison_because or 'none was made'}"
    row = report.comparisons[0]
    ratio = f"{row.with_static.low:.3g} to {row.with_static.high:.3g} with static energy"
    return f"{ratio} [{row.with_static.status}]; {row.gpu}, batch {row.batch} [{row.gpu_status}]"


def _energy(joules: Joules | None, status: str) -> str:
    return MISSING if joules is None else f"{readable(joules.mean, 'J')} [{status}]"


def _cautions(reports: list[EnergyReport]) -> list[str]:
    found = []
    if len({report.data for report in reports}) > 1:
        found.append("the samples are not the same: spikes, and so energies, are of different data")
    elif len({report.samples for report in reports}) > 1:
        found.append("the numbers of samples differ: means are over different samples")
    if len({report.energy.model for report in reports}) > 1:
        found.append("the prices of events come from different sources: their ratio is one of sources, too")
    if len({look(report.energy.status) for report in reports}) > 1:
        found.append("the prices of events are assumed for some of these chips and not for others")
    if len({report.host is None for report in reports}) > 1:
        found.append("some of these networks compute a layer on the host, whose energy is in no total")
    return found
