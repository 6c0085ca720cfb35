"""What dalif-inspect found, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from dalif_deploy.reports.mapping_table import LIMITS
from dalif_deploy.reports.table_parts import add_row, new_table, print_line

ROWS = 16  # of the table, so that the answer stays on one screen


def print_inspection(facts: dict[str, Any], console: Console) -> None:
    """Prints what it is, its layers, and what each chip makes of it."""
    print_line(console, f"{facts['file']}: {facts['what']}", style="bold")
    low, high = facts["input_range"]
    print_line(
        console,
        f"{_many(facts['neurons'])} neurons, {_many(facts['synapses'])} synapses, {_many(facts['weights'])} weights; "
        f"data {low:g} to {high:g}",
    )
    print_line(
        console, f"dt {facts['dt']:g} s ({facts['dt_from']}); {facts['steps']} steps per sample ({facts['steps_from']})"
    )
    table = new_table("", "layer", "kind", "shape", "neurons", "synapses", "beta", "threshold", left=2)
    for node in facts["nodes"][:ROWS]:
        neuron = node["neuron"] or {}
        add_row(
            table,
            node["name"],
            f"{node['kind']}{', reset subtract' if neuron.get('reset') == 'subtract' else ''}",
            "?" if node["shape"] is None else " x ".join(map(str, node["shape"])),
            _many(node["neurons"]) if node["neurons"] != 0 else "",
            _many(node["synapses"]) if node["synapses"] != 0 else "",
            shown_range(neuron.get("beta")),
            shown_range(neuron.get("threshold")),
        )
    console.print(table)
    if len(facts["nodes"]) > ROWS:
        print_line(console, f"... and {len(facts['nodes']) - ROWS} more: see --json or --html")
    if facts["fault"]:
        print_line(console, f"the graph can't be run: {facts['fault']}", style="red")
    for line, style in [*chip_lines(facts), *export_lines(facts)]:
        print_line(console, line, style=style)


def chip_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """A line a chip and its style: the size there, or what would stop the export."""
    return [
        (f"{chip}: would stop at: {found['stops']}", "red")
        if found["size"] is None
        else (f"{chip}: exports; {_size(found['size'])}", "")
        for chip, found in facts["chips"].items()
    ]


def _size(size: dict[str, Any]) -> str:
    cores = f"{size['cores']:,} core{'s' * (size['cores'] != 1)}"
    chips = f"{size['chips']:,} chip{'s' * (size['chips'] != 1)}"
    return f"{cores} on {chips}, nearest limit {LIMITS[size['bound_by']]}"


def export_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What there is to say of an exported folder."""
    export = facts["export"]
    if export is None:
        return []
    line = f"exported for target {export['target']}{f', chip {c}' if (c := export['chip']) else ''}"
    if compiled := export["compiled"]:
        line += f": {compiled['stops'] or _size(compiled['size'])}"
    lines = [(line, "")]
    if export["promises"]:
        promises = export["promises"]
        ranges = [
            f"{name} {item['lowest']:g} to {item['highest']:g}"
            for name, item in promises["inputs"].items()
            if item["lowest"] is not None and item["highest"] is not None
        ]
        lines.append((f"its proofs hold for {promises['most_steps']} steps{''.join(f', {r}' for r in ranges)}", ""))
    if export["changed_since"]:
        lines.append((f"changed since it was exported: {', '.join(export['changed_since'])}", "red"))
    return lines


def shown_range(ends: list[float] | None) -> str:
    """Lowest and highest value of a layer."""
    if ends is None:
        return ""
    low, high = (f"{end:.4g}" for end in ends)
    return low if low == high else f"{low} to {high}"


def _many(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"
