"""What a check exercised, a layer, as a table for a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dalif_deploy.reports.table_parts import add_row


def print_coverage(coverage: dict[str, Any], console: Console) -> None:
    """Prints a row a layer, then what was not exercised.

    Args:
        coverage: `Coverage.to_dict()`.
    """
    table = Table("layer", "neurons fired", "values not 0", "near threshold", "resets", "clips", "wraps", "negative")
    for name, layer in coverage["layers"].items():
        counts = layer["counts"]
        fired = "-" if layer["fired"] is None else f"{layer['fired']} of {layer['neurons']}, {_share(layer)}"
        near = _sum(counts, "met_threshold", "just_above", "just_below") if layer["fired"] is not None else "-"
        add_row(
            table,
            name,
            fired,
            percent(layer["nonzero"], layer["compared"]),
            near,
            _sum(counts, "spikes"),
            _sum(counts, "high_clips", "low_clips"),
            _sum(counts, "wraps"),
            _sum(counts, "negative"),
        )
    console.print(Text("what the check exercised (near threshold: membranes within one unit of it)"))
    console.print(table)
    for line in coverage["not_exercised"]:
        console.print(Text(f"not exercised: {line}", style="yellow"))


def _share(layer: dict[str, Any]) -> str:
    return percent(layer["fired"], layer["neurons"])


def percent(part: int, whole: int) -> str:
    """Rounded down, so that 100 % means all; anything is more than 0 %."""
    if not whole:
        return "-"
    share = int(1000 * part / whole) / 10
    return "under 0.1 %" if part and not share else f"{share:.0f} %" if share in (0, 100) else f"{share:.1f} %"


def _sum(counts: dict[str, int], *keys: str) -> str:
    return f"{sum(counts[key] for key in keys):,}" if counts else "-"
