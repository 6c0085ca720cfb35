"""What engines made of samples, on one screen: the answer, then what it stands on."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from dalif_deploy.reports.agreement_table import share_of_spikes
from dalif_deploy.reports.coverage_table import percent
from dalif_deploy.reports.table_parts import add_row, plain_table, print_rest, shortened

LAYERS = 8
REASONS = 3
CLASSES = 20


def print_simulation_screen(figures: dict[str, Any], *, stream: TextIO) -> None:
    """Prints one engine's accuracy, firing rates of the first layers and, after a check, what it found."""
    console = Console(file=stream, highlight=False)
    accuracy = figures["accuracy"]
    right = "no accuracy (it needs one output, and labels)" if accuracy is None else f"accuracy {100 * accuracy:.2f} %"
    console.print(Text(f"engine {figures['engine']}: {figures['samples']} samples of {figures['data']}, {right}"))
    check = figures["check"]
    if check:
        compared = sum(check["compared"].values())
        line = f"check against {check['against']}: {compared:,} values compared, {check['mismatches']} mismatches"
        console.print(Text(line, style="bold"))
    if figures["predicted"] is not None:
        shown = ", ".join(map(str, figures["predicted"][:CLASSES]))
        console.print(Text(f"predicted classes: {shown}{', …' if len(figures['predicted']) > CLASSES else ''}"))
    if not check:
        rates = figures["firing_rate"]
        table = plain_table("layer", "firing rate")
        for layer, rate in list(rates.items())[:LAYERS]:
            add_row(table, layer, f"{rate:.4f}")
        console.print(table)
        print_rest(len(rates) - LAYERS, "layers", console)
        return
    _print_coverage(figures["coverage"], console)
    console.print(Text("--details: differences and coverage, a layer and kind", style="dim"))


def print_agreement_screen(figures: dict[str, Any], *, stream: TextIO) -> None:
    """Prints whether the integer engines agree, a row an engine, which did not run, and what was exercised."""
    console = Console(file=stream, highlight=False)
    engines = figures["engines"]
    console.print(Text(_verdict(figures), style="bold"))
    console.print(Text(f"{figures['samples']} samples of {figures['data']}{_stress(figures)}"))
    table = plain_table("engine", "numbers", "accuracy", "least equal layer", "values", "mismatches", left=2)
    for name, row in engines.items():
        agreement = row["float_agreement"]
        least = min(agreement.values(), default=None)
        add_row(
            table,
            name,
            row["arithmetic"],
            "-" if row["accuracy"] is None else f"{100 * row['accuracy']:.2f} %",
            "-" if least is None else share_of_spikes(least),
            f"{sum(row['compared'].values()):,}" if row["against"] else "-",
            f"{sum(row['mismatches'].values()):,}" if row["against"] else "-",
        )
    console.print(table)
    console.print(Text("least equal layer: share of its spikes that are engine nir's too", style="dim"))
    for name, row in engines.items():
        if "first" in row:
            console.print(Text(shortened(f"{name}, first mismatch: {row['first']}"), style="red"))
    for name, reason in list(figures["not_run"].items())[:REASONS]:
        console.print(Text(shortened(f"{name} not run: {reason}")))
    print_rest(len(figures["not_run"]) - REASONS, "engines not run", console)
    _print_coverage(figures["coverage"], console)
    console.print(Text("--details: every layer's agreement and coverage, and why floats may differ", style="dim"))


def _verdict(figures: dict[str, Any]) -> str:
    integer = {name: row for name, row in figures["engines"].items() if row["arithmetic"] == "integer"}
    against = sorted({row["against"] for row in integer.values() if row["against"]})
    if figures["bit_exact"] is None:
        return "integer engines agree to the bit: not checked: no two of them ran"
    compared = sum(sum(row["compared"].values()) for row in integer.values())
    wrong = sum(sum(row["mismatches"].values()) for row in integer.values())
    held = [name for name, row in integer.items() if row["against"]]
    verdict = "yes" if figures["bit_exact"] else "NO"
    return (
        f"integer engines agree to the bit: {verdict}; {', '.join(held)} against {', '.join(against)}: "
        f"{compared:,} values compared, {wrong:,} mismatches"
    )


def _stress(figures: dict[str, Any]) -> str:
    return f", and {figures['stress_samples']} of --stress" if figures["stress_samples"] else ""


def _print_coverage(coverage: dict[str, Any], console: Console) -> None:
    layers = {name: layer for name, layer in coverage["layers"].items() if layer["fired"] is not None}
    if layers:
        fired, neurons = (sum(layer[key] for layer in layers.values()) for key in ("fired", "neurons"))
        worst = min(layers, key=lambda name: layers[name]["fired"] / max(1, layers[name]["neurons"]))
        least = percent(layers[worst]["fired"], layers[worst]["neurons"])
        console.print(
            Text(f"exercised: {percent(fired, neurons)} of {neurons:,} neurons fired; least, {worst}: {least}")
        )
    for line in coverage["not_exercised"][:REASONS]:
        console.print(Text(shortened(f"not exercised: {line}"), style="yellow"))
    print_rest(len(coverage["not_exercised"]) - REASONS, "lines of what was not exercised", console)
