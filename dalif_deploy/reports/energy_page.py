"""The energy report as one self-contained HTML page: no request leaves it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.energy.figures import Joules
from dalif_deploy.hw_models.energy.models import EnergyByModel, Static
from dalif_deploy.hw_models.energy.report.mapping import Fits
from dalif_deploy.hw_models.energy.report.report import EnergyReport
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.hw_models.files.ownership import MARK
from dalif_deploy.reports.compared_gpus import compared_gpus
from dalif_deploy.reports.core_map import CHIPS_DRAWN, core_maps
from dalif_deploy.reports.energy_sentence import chip_title, energy_sentence, error_sentence
from dalif_deploy.reports.layer_energy import BETWEEN, energy_by_layer
from dalif_deploy.reports.log_axis import on_log_axis
from dalif_deploy.reports.mapping_table import LIMITS
from dalif_deploy.reports.page_environment import FOLDER, page_environment
from dalif_deploy.reports.status_words import mapping_word
from dalif_deploy.reports.table_parts import or_unbounded, shown_ends

NAME_LENGTH = 40


def write_energy_page(report: EnergyReport, path: Path, *, force: bool = False) -> None:
    """Writes the page of a report of `dalif_deploy.hw_models.energy.report`, whole or not at all.

    Raises:
        UserError: `path` exists and `force` is not given.
    """
    with atomic_file(path, force=force) as temporary:
        temporary.write_text(energy_page(report), encoding="utf-8")


def energy_page(report: EnergyReport) -> str:
    """The page as text. Names come from foreign files: Jinja escapes every one."""
    from markupsafe import Markup

    environment = page_environment()
    environment.filters |= {
        "joules": lambda value: or_unbounded(value, "J"),
        "joule_seconds": lambda value: readable(value, "Js"),
        "seconds": lambda value: or_unbounded(value, "s"),
        "count": lambda value: f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}",
        "percent": lambda share: f"{share:.0%}" if share >= 0.095 or not share else f"{share:.1%}",
        "words": lambda name: LIMITS.get(name, str(name).replace("_", " ")),
        "chip": chip_title,
        "shortened": lambda name: name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…",
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
        "ends": shown_ends,
        "unit_of": _with_unit,
    }
    numbers = {layer.name: index for index, layer in enumerate(report.counts.layers)}
    mapping = report.mapping
    script = (FOLDER / "interact.js").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(
        report=report,
        sentence=energy_sentence(report),
        error=error_sentence(report),
        expected_error=report.silicon.energy.range_from == "expected error",
        title=Path(report.artefact or "a network").name,
        mark=MARK,
        script=Markup(script),
        # the browser runs this script and no other, whatever a name may hold
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        models=[(energy, _range(energy.total)) for energy in _models(report)],
        ranges=on_log_axis(_ranges(report), lambda joules: readable(joules, "J")),
        ratios=on_log_axis(_ratios(report), lambda ratio: f"{ratio:g}"),
        by_layer=energy_by_layer(report),
        between=BETWEEN,
        numbers=numbers,
        mapping=mapping,
        mapping_word=mapping_word(mapping),
        chips=core_maps(mapping, numbers),
        more_chips=max(0, mapping.chips - CHIPS_DRAWN) if isinstance(mapping, Fits) else 0,
    )


def _with_unit(value: float, unit: str) -> str:
    """An edge of a histogram as text."""
    if unit == "J":
        return readable(value, "J")
    return f"{value:,.4g} {unit}".strip()


def _models(report: EnergyReport) -> list[EnergyByModel]:
    return [report.energy, *([report.energy_sanafe] if report.energy_sanafe else [])]


def _range(joules: Joules | Static) -> str:
    if joules.high is None:
        return f"at least {readable(joules.low, 'J')}"
    if joules.low == joules.high:
        return readable(joules.joules if isinstance(joules, Static) else joules.mean, "J")
    return f"{readable(joules.low, 'J')} to {readable(joules.high, 'J')}"


def _ranges(report: EnergyReport) -> list[dict[str, Any]]:
    """Energies on the chip, dynamic by each model and static, and of the GPU that it is set beside."""
    rows: list[dict[str, Any]] = []
    expected = report.silicon.energy
    if expected.range_from == "expected error":
        text = f"{readable(expected.low, 'J')} to {or_unbounded(expected.high, 'J')}"
        name = "dynamic, with the expected error"
        rows.append(
            {"low": expected.low, "high": expected.high, "text": text, "name": name, "status": report.energy.status}
        )
    for energy in _models(report):
        rows.append({**_ends(energy.total), "name": f"dynamic: {energy.title}", "status": energy.status})
    static = report.energy.static
    rows.append({**_ends(static), "name": "static", "status": static.status})
    for gpu in compared_gpus(report):
        name = f"{gpu.gpu}, {gpu.precision}, batch {gpu.batch}, all-in"
        text = readable(gpu.joules, "J")
        rows.append({"low": gpu.joules, "high": gpu.joules, "text": text, "name": name, "status": gpu.status})
    return rows


def _ends(joules: Joules | Static) -> dict[str, Any]:
    return {"low": joules.low, "high": joules.high, "text": _range(joules)}


def _ratios(report: EnergyReport) -> list[dict[str, Any]]:
    """Other over chip, from static energy at its highest to static energy left out."""
    return [
        {
            "name": row.text.removeprefix("energy ratio, "),
            "low": row.with_static.low,
            "high": row.with_static.high,
            "text": f"{row.with_static.low:.3g} to {row.with_static.high:.3g}",
            # the chip's step length is assumed, so the range is
            "status": "assumed",
        }
        for row in report.comparisons
    ]
