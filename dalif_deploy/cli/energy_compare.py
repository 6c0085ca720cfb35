"""dalif-energy --compare: reports that were written before, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dalif_deploy.cli.command import require_free_files, write_json
from dalif_deploy.hw_models.errors import UserError


def run_comparison(
    files: list[str], unsuited: dict[str, Any], *, html_file: Path | None, json_file: str | None, force: bool
) -> None:
    """Reads the reports and writes table, page and JSON.

    Raises:
        UserError: fewer than two reports, a file that is none, an option of a run.
    """
    from rich.console import Console

    from dalif_deploy.reports.comparison import compare_reports, read_report
    from dalif_deploy.reports.comparison_page import write_comparison_page
    from dalif_deploy.reports.comparison_table import print_comparison

    for option, given in unsuited.items():
        if given is not None:
            raise UserError(f"{option} is for a run, and --compare runs nothing", remedy="leave it out")
    if len(files) < 2:
        raise UserError("one report alone has nothing beside it", remedy="give two or more: --compare A.json B.json")
    require_free_files(json_file, html_file, force=force)
    compared = compare_reports([(Path(file).name, read_report(Path(file))) for file in files])
    if html_file is not None:
        write_comparison_page(compared, html_file, force=force)
    write_json(compared.to_dict(), json_file, force=force)
    print_comparison(compared, Console(stderr=json_file == "-"))
