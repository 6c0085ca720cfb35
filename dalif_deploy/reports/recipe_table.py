"""The recipes on a terminal, and the trained networks of those that have one."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from dalif_deploy.reports.table_parts import add_row, new_table, print_line


def print_recipes(rows: list[dict[str, Any]], console: Console) -> None:
    """One line a recipe.

    Args:
        rows: `name`, `fields` of its configuration, `ran`, and `card` of its trained network, None without one.
    """
    table = new_table("recipes", "recipe", "data", "network", "T", "epochs", "run here", "test accuracy")
    for row in rows:
        fields, card = row["fields"], row["card"]
        accuracy = "-" if card is None else f"{100 * card['test_accuracy']:.2f} % (zoo:{row['name']})"
        what = [str(fields[key]) for key in ("dataset", "arch", "steps", "epochs")]
        add_row(table, row["name"], *what, row["ran"], accuracy)
    console.print(table)
    print_line(console, "dalif-train --recipe NAME --out DIR trains one; dalif-export zoo:NAME takes a trained one")
