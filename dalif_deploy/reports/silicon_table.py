"""The models against published chips, and energy times delay, on a terminal."""

from __future__ import annotations

from rich.console import Console

from dalif_deploy.hw_models.energy.report.energy_delay import EnergyDelay
from dalif_deploy.hw_models.energy.report.expected import Silicon
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.reports.table_parts import add_row, new_table, print_line, print_not_included


def print_silicon(silicon: Silicon, console: Console) -> None:
    """Prints the report's `silicon`: each model's ratios, and the sentence that a range stands on."""
    heads = ("of", "model", "runs", "networks", "modelled over measured", "left out in turn")
    table = new_table("Models against published chips (docs/energy-error.md)", *heads, left=2)
    for error in silicon.errors:
        ratios = "-"
        if error.lowest is not None and error.highest is not None and error.middle is not None:
            ratios = f"{error.lowest:.2f} to {error.highest:.2f}, median {error.middle:.2f}"
        left = "-" if error.factor is None else f"within a factor {error.factor:.1f}"
        add_row(table, error.quantity, error.model, str(error.runs), str(error.networks), ratios, left)
    console.print(table)
    for expected, unit in ((silicon.energy, "J"), (silicon.time, "s")):
        if expected is not None:
            low = readable(expected.low, unit)
            ends = f"at least {low}" if expected.high is None else f"{low} to {readable(expected.high, unit)}"
            figure = f"{readable(expected.value, unit)}, {ends}"
            print_line(console, f"{expected.quantity}: {figure} [{expected.range_from}]; {expected.because}")


def print_energy_delay(delay: EnergyDelay, console: Console) -> None:
    """Prints the report's `energy_delay`: the chip's idle power in it, and what waiting costs."""
    heads = ("sample", "time", "dynamic", "static", "x86 cores", "energy times delay")
    table = new_table(f"Energy and delay [{delay.status}]", *heads)
    for row in delay.rows:
        parts = (row.dynamic_joules, row.static_joules, row.x86_joules)
        product = readable(row.joule_seconds, "Js")
        add_row(table, row.name, readable(row.seconds, "s"), *(readable(part, "J") for part in parts), product)
    console.print(table)
    for each in delay.waiting:
        print_line(
            console,
            f"at {each.samples_a_second:g} samples a second: {readable(each.joules, 'J')} a sample, "
            f"{each.static_share:.0%} of it the idle chip",
        )
    print_not_included(delay.not_included, console)
