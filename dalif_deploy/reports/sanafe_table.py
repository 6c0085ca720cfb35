"""SANA-FE's counts beside ours, for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from dalif_deploy.hw_models.energy.report.report import Sanafe
from dalif_deploy.hw_models.energy.units import readable


def print_sanafe(compared: Sanafe, console: Console) -> None:
    """Prints what `dalif_deploy.simulation.energy_session.compared_with_sanafe` found."""
    table = Table("a sample's", "here", "SANA-FE", "largest difference", title="The same samples counted by SANA-FE")
    for row in compared.rows:
        figures = [row.ours, row.sanafe, row.largest_difference]
        shown = [readable(figure, row.unit) if row.unit else f"{figure:,.6g}" for figure in figures]
        table.add_row(row.name, *shown)
    console.print(table)
    latency = compared.sanafe_seconds
    console.print(f"{compared.samples} samples; latency {readable(latency.mean, 's')} ({latency.status})")
    console.print(f"taken off SANA-FE's side: {compared.taken_off}", highlight=False)
