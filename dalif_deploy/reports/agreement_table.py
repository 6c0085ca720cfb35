"""What all engines made of the same samples, as tables for a terminal."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dalif_deploy.reports.coverage_table import print_coverage


def print_agreement(figures: dict[str, Any], *, stream: TextIO) -> None:
    """Prints a row an engine: accuracy, agreement with the float graph a layer, differences within its kind."""
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else 140)
    engines = figures["engines"]
    console.print(f"{figures['samples']} samples of {escape(figures['data'])}; share of spikes equal to engine nir's")
    layers = list(dict.fromkeys(layer for row in engines.values() for layer in row["float_agreement"]))
    table = Table("engine", "numbers", "accuracy", *map(escape, layers), "compared with", "values", "mismatches")
    for name, row in engines.items():
        shares = [row["float_agreement"].get(layer) for layer in layers]
        table.add_row(
            name,
            row["arithmetic"],
            "-" if row["accuracy"] is None else f"{100 * row['accuracy']:.2f} %",
            *("-" if share is None else share_of_spikes(share) for share in shares),
            row["against"] or "-",
            f"{sum(row['compared'].values()):,}" if row["against"] else "-",
            f"{sum(row['mismatches'].values()):,}" if row["against"] else "-",
        )
    console.print(table)
    for name, row in engines.items():
        if "first" in row:
            console.print(escape(f"{name}, first mismatch: {row['first']}"))
    for name, reason in figures["not_run"].items():
        console.print(escape(f"{name} not run: {reason}"))
    for arithmetic in dict.fromkeys(row["arithmetic"] for row in engines.values()):
        console.print(f"{arithmetic} may differ from nir because {figures['causes'][arithmetic]}")
    print_coverage(figures["coverage"], console)
    verdict = {True: "yes", False: "NO", None: "not checked: no two of them ran"}[figures["bit_exact"]]
    console.print(f"integer engines agree to the bit: {verdict}")


def share_of_spikes(share: float) -> str:
    """Rounded down, so that 100 % means every spike."""
    return "100 %" if share == 1 else f"{int(share * 1e5) / 1e3:.3f} %"
