"""Several energy reports side by side, on a terminal."""

from __future__ import annotations

from rich.console import Console

from dalif_deploy.reports.comparison import ComparedReports
from dalif_deploy.reports.table_parts import add_row, plain_table, print_line


def print_comparison(compared: ComparedReports, console: Console) -> None:
    """Prints a column a report, and what forbids comparing them."""
    table = plain_table("", *compared.names, left=1 + len(compared.names))
    for what, figures in compared.rows:
        add_row(table, what, *figures)
    console.print(table)
    for line in compared.cautions:
        print_line(console, f"caution: {line}", style="yellow")
