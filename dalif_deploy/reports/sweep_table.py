"""A sweep on a terminal: a table for each set of points that may be compared, the front marked."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from dalif_deploy.hw_models.energy.figures import Joules
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.reports.sweep_words import by_scope, energy_words, varied
from dalif_deploy.reports.table_parts import add_row, energy_range, new_table, print_line, print_not_included


def print_sweep(sweep: dict[str, Any], console: Console) -> None:
    """Prints the dict of `dalif_deploy.exploration.explore`."""
    groups = by_scope(sweep)
    for scope, points in groups.items():
        _scope(scope, points, sweep["data"], console)
    _without_figures([point for point in sweep["points"] if point["status"] != "done"], console)
    if not groups:
        return
    print_line(
        console,
        "front: no other point of its table is as good in accuracy, both ends of energy (by each source), both ends of "
        "latency and cores, and better in one",
        style="dim",
    )
    if len(groups) > 1:
        words = "not compared across tables: their energies and latencies stand on different ground"
        print_line(console, words, "yellow")


def _scope(scope: str, points: list[dict[str, Any]], data: str, console: Console) -> None:
    first = points[0]
    keys, fitted = varied(points), first["energy_sanafe"] is not None
    figures = [
        "accuracy",
        "energy",
        *(["SANA-FE's"] if fitted else []),
        "latency",
        "cores",
        *(["chips"] if any(point["chips"] > 1 for point in points) else []),
    ]
    made = new_table(f"{scope}: {first['samples']} samples of {data}", "front", *keys, *figures)
    for point in points:
        cells = ["●" if point["on_front"] else "", *(str(point["settings"][key]) for key in keys)]
        cells += [_accuracy(point), _energy(point["energy"])]
        if fitted:
            cells.append(_energy(point["energy_sanafe"]))
        alone = point["latency"]["alone"]
        cells += [f"{readable(alone['low'], 's')} to {readable(alone['high'], 's')}", f"{point['cores']:,}"]
        if "chips" in figures:
            cells.append(f"{point['chips']:,}")
        made.add_row(*map(Text, cells), style="bold" if point["on_front"] else "")
    console.print(made)
    if first["accuracy"] is not None:
        print_line(console, f"accuracy: one sample makes {100 / first['samples']:.2g} points")
    print_line(console, f"energy: dynamic, on chip, a sample [{energy_words(first)}]")
    if fitted:
        print_line(console, f"SANA-FE's: [{first['energy_sanafe']['status']}: {first['energy_sanafe']['title']}]")
    print_line(console, f"latency: of a sample alone [{first['latency']['status']}]")
    print_not_included(first["energy"]["not_included"], console)


def _without_figures(points: list[dict[str, Any]], console: Console) -> None:
    if not points:
        return
    made = new_table("Points without figures", "point", "why", left=2)
    for point in points:
        words = " ".join(f"{key}={value}" for key, value in point["settings"].items())
        add_row(made, words, f"{point['status']}: {point['why']}")
    console.print(made)


def _accuracy(point: dict[str, Any]) -> str:
    return "no labels" if point["accuracy"] is None else f"{point['accuracy']:.1%}"


def _energy(energy: dict[str, Any]) -> str:
    total = Joules(**energy["total"])
    if total.high is None or total.low == total.high:
        return energy_range(total) if total.high is None else readable(total.mean, "J")
    return f"{readable(total.mean, 'J')} ({energy_range(total)})"
