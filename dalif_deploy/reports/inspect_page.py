"""What dalif-inspect found, as one page with the graph drawn; it loads nothing from elsewhere and runs no script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.hw_models.files.ownership import MARK
from dalif_deploy.inspection.drawing import drawing
from dalif_deploy.reports.inspect_table import chip_lines, export_lines, shown_range
from dalif_deploy.reports.page_environment import page_environment

NAME_LENGTH = 24


def write_inspect_page(facts: dict[str, Any], path: Path, *, force: bool = False) -> None:
    """Writes the page of `inspect_thing`'s facts, whole or not at all.

    Raises:
        UserError: `path` exists and is not to be replaced.
    """
    with atomic_file(path, force=force) as temporary:
        temporary.write_text(inspect_page(facts), encoding="utf-8")


def inspect_page(facts: dict[str, Any]) -> str:
    """The page as text. Names come from foreign files: Jinja escapes every one."""
    environment = page_environment()
    environment.filters |= {
        "shortened": lambda name: name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…",
        "range": shown_range,
        "many": lambda count: "?" if count is None else f"{count:,}",
        "shape": lambda shape: "?" if shape is None else " x ".join(map(str, shape)),
    }
    return environment.get_template("inspect.html.j2").render(
        facts=facts,
        title=Path(facts["file"]).name,
        mark=MARK,
        picture=drawing(facts),
        lines=[line for line, _ in [*chip_lines(facts), *export_lines(facts)]],
    )
