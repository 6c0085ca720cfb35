"""What a simulation saw, as tables for a terminal."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from dalif_deploy.reports.coverage_table import print_coverage


def print_simulation(figures: dict[str, Any], *, stream: TextIO) -> None:
    """Prints accuracy, firing rates and, after a check, the comparison a layer."""
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else 120)
    if figures["accuracy"] is not None:
        accuracy = f"accuracy {100 * figures['accuracy']:.2f} %"
    else:
        accuracy = "no accuracy (it needs one output, and labels)"
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in figures["seconds"].items())
    samples = f"{figures['samples']} samples of {figures['data']}"
    console.print(f"engine {figures['engine']}: {samples}, {accuracy} ({spent})")
    if figures["predicted"] is not None:
        shown = ", ".join(map(str, figures["predicted"][:40]))
        console.print(f"predicted classes: {shown}{', …' if len(figures['predicted']) > 40 else ''}")
    check = figures["check"]
    table = Table("layer", "firing rate", *(["values compared", "mismatches"] if check else []))
    for layer, rate in figures["firing_rate"].items():
        row = [layer, f"{rate:.4f}"]
        if check:
            mine = {k: n for k, n in check["compared"].items() if k.rsplit(".", 1)[0] == layer}
            row += [f"{sum(mine.values()):,}", str(sum(check["mismatches_by_layer"][k] for k in mine))]
        table.add_row(*row)
    console.print(table)
    if check:
        print_coverage(figures["coverage"], console)
        compared = sum(check["compared"].values())
        console.print(
            f"check {figures['engine']} against {check['against']}: {compared:,} values compared, "
            f"{check['mismatches']} mismatches"
        )
