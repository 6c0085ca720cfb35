"""Several energy reports side by side, as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.energy.figures import Joules
from dalif_deploy.hw_models.energy.models import Static
from dalif_deploy.hw_models.energy.report.expected import Expected
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.hw_models.files.ownership import MARK
from dalif_deploy.reports.comparison import ComparedReports
from dalif_deploy.reports.energy_sentence import energy_sentence
from dalif_deploy.reports.log_axis import on_log_axis
from dalif_deploy.reports.page_environment import page_environment
from dalif_deploy.reports.table_parts import or_unbounded


def write_comparison_page(compared: ComparedReports, path: Path, *, force: bool = False) -> None:
    """Writes the page, whole or not at all.

    Raises:
        UserError: `path` exists and `force` is not given.
    """
    with atomic_file(path, force=force) as temporary:
        temporary.write_text(comparison_page(compared), encoding="utf-8")


def comparison_page(compared: ComparedReports) -> str:
    """The page as text."""
    environment = page_environment()
    pairs = list(zip(compared.names, compared.reports, strict=True))
    return environment.get_template("comparison.html.j2").render(
        compared=compared,
        sentences=[(name, energy_sentence(report)) for name, report in pairs],
        ranges=on_log_axis(_ranges(compared), lambda joules: readable(joules, "J")),
        mark=MARK,
    )


def _ranges(compared: ComparedReports) -> list[dict[str, Any]]:
    """Energy of each on one axis: dynamic by the model, dynamic as expected where an error is known, static."""
    rows = []
    for name, report in zip(compared.names, compared.reports, strict=True):
        expected = report.silicon.energy
        parts: list[tuple[str, Joules | Static | Expected, str]] = [
            ("dynamic, the model's sum", report.energy.total, report.energy.status),
            ("static", report.energy.static, report.energy.static.status),
        ]
        if expected.range_from == "expected error":
            parts.insert(0, ("dynamic, with the expected error", expected, report.energy.status))
        for kind, joules, status in parts:
            text = f"{readable(joules.low, 'J')} to {or_unbounded(joules.high, 'J')}"
            if joules.low == joules.high:
                text = readable(joules.low, "J")
            elif joules.high is None:
                text = f"at least {readable(joules.low, 'J')}"
            rows.append(
                {"name": f"{name}, {kind}", "low": joules.low, "high": joules.high, "text": text, "status": status}
            )
    return rows
