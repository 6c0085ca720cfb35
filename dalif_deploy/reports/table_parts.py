"""What the energy report's tables on a terminal share."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dalif_deploy.hw_models.energy.figures import Joules, OverSamples
from dalif_deploy.hw_models.energy.opponents.break_even import Ends
from dalif_deploy.hw_models.energy.units import readable


def print_line(console: Console, text: str, style: str = "") -> None:
    """Prints a line; what it holds is never markup."""
    console.print(Text(text, style=style))


def new_table(title: str, *columns: str, left: int = 1) -> Table:
    """A table; the first `left` columns hold words."""
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        if index < left:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", overflow="fold")
    return table


def plain_table(*columns: str, left: int = 1) -> Table:
    """A table without borders, for one screen; the first `left` columns hold words."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, overflow="fold", justify="left" if index < left else "right")
    return table


def print_rest(more: int, what: str, console: Console) -> None:
    """Says that a screen left something out; nothing where it did not."""
    if more > 0:
        print_line(console, f"and {more} more {what}: --details", style="dim")


def shortened(words: str, longest: int = 150) -> str:
    """Words from elsewhere, cut where they would fill a screen."""
    return words if len(words) <= longest else words[: longest - 1] + "…"


def add_row(table: Table, *cells: str) -> None:
    """Adds a row; a layer's name is never markup."""
    table.add_row(*(Text(cell) for cell in cells))


def shown_count(value: float) -> str:
    """A count or a mean of counts."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def over_samples(figure: OverSamples) -> str:
    """Mean, deviation and worst sample."""
    return f"{shown_count(figure.mean)} ± {shown_count(figure.std)} ({shown_count(figure.worst)})"


def energy_range(joules: Joules) -> str:
    """The range of an energy by its constants."""
    if joules.high is None:
        return f"at least {readable(joules.low, 'J')}"
    if joules.low == joules.high:
        return "no spread known"
    return f"{readable(joules.low, 'J')} to {readable(joules.high, 'J')}"


def or_unbounded(value: float | None, unit: str) -> str:
    """The upper end of a range."""
    return "no upper bound" if value is None else readable(value, unit)


def print_not_included(not_included: list[str], console: Console) -> None:
    """What a part of the report leaves out."""
    print_line(console, "not included: " + "; ".join(not_included), style="dim")


def shown_ends(ends: Ends) -> str:
    """A range of plain numbers, such as `0.12 to 0.3`."""
    low, high = (f"{end:,.0f}" if end >= 999.5 else f"{end:.3g}" for end in (ends.low, ends.high))
    return low if low == high else f"{low} to {high}"
