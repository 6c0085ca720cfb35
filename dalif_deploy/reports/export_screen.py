"""What an export did, on one screen: the answer, what to mind, the layers that kept least."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.reports.export_table import can_fire, export_notes, range_check, sqnr, time_step_lines
from dalif_deploy.reports.table_parts import add_row, plain_table, print_rest

LAYERS = 4
WARNINGS = 3
NOTES = 3


def print_export_screen(artefact: Artefact, *, stream: TextIO) -> None:
    """Prints where the export lies, what was lost, warnings, and the layers whose weights kept least."""
    export = artefact.export
    console = Console(file=stream, highlight=False)
    console.print(Text(f"{artefact.folder}: {_answer(export)}", style="bold"))
    steps = f"{export['steps'] or '?'} steps per sample"
    console.print(Text(f"target {export['target']}, from {export['source']['file']}; {steps}"))
    line = f"dt {export['dt']:g} s, {export['dt_from']}"
    if "layers" in export and "chip" in export:
        step = "" if export["input_step"] is None else f", one level = {export['input_step']:.4g}"
        line += f"; {export['weight_bits']}-bit weights, input by {export['input']}{step}"
    console.print(Text(line))
    warnings = export.get("warnings", [])
    for line in _remedies_once(warnings[:WARNINGS]):
        console.print(Text(f"WARNING: {line}", style="bold red"), soft_wrap=True)
    print_rest(len(warnings) - WARNINGS, "warnings", console)
    for line in time_step_lines(export):
        console.print(Text(line))
    if export.get("reset_from") == "assumed":
        line = "reset to zero, assumed; snnTorch and sinabs subtract: pass --reset zero or --reset subtract"
        console.print(Text(line))
    notes = export_notes(export)
    for line in notes[:NOTES]:
        console.print(Text(line))
    print_rest(len(notes) - NOTES, "notes", console)
    if "layers" in export:
        console.print(_layers(export["layers"]))
        print_rest(len(export["layers"]) - LAYERS, "layers, whose weights kept more", console)
    if artefact.compiled:
        console.print(Text(f"check it: dalif-simulate {artefact.folder} --data NAME:SPLIT --check all", style="dim"))
    if "layers" in export:
        console.print(Text("--details: decays, thresholds and scales of every layer", style="dim"))


def _answer(export: dict[str, Any]) -> str:
    if "layers" not in export:
        return "exported" if "chip" not in export else f"exported for {export['chip']}, integers as they came"
    layers = export["layers"]
    kept = [layer["weight_sqnr_db"] for layer in layers if layer["weight_sqnr_db"] is not None]
    weights = f"weights keep {min(kept):.1f} dB or more" if kept else "weights are exact"
    bad = [layer["layer"] for layer in layers if "ok" not in range_check(layer)]
    registers = (
        f"registers of {len(bad)} layer{'s' * (len(bad) > 1)} may overflow" if bad else "no register can overflow"
    )
    neurons = sum(layer["neurons"] for layer in layers)
    many = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    size = f"{many}, 1 neuron" if neurons == 1 else f"{many}, {neurons:,} neurons"
    return f"exported for {export['chip']}, {size}; {weights}; {registers}"


def _remedies_once(warnings: list[str]) -> list[str]:
    """A remedy that several warnings share is told with the first of them."""
    told: set[str] = set()
    lines = []
    for line in warnings:
        fault, mark, remedy = line.partition("; with --dt")
        lines.append(f"{fault}; the same remedy" if mark and remedy in told else line)
        told.add(remedy)
    return lines


def _layers(layers: list[dict[str, Any]]) -> Table:
    """In the network's order; of many, those whose weights kept least, and those that can't fire."""

    def doubtful(layer: dict[str, Any]) -> tuple[bool, float]:
        kept = layer["weight_sqnr_db"]
        return layer.get("can_fire") != 0, float("inf") if kept is None else kept

    shown = sorted(layers, key=doubtful)[:LAYERS]
    table = plain_table("layer", "weights (SQNR)", "registers", "can fire", "neurons", left=4)
    for layer in layers:
        if layer in shown:
            cells = layer["layer"], sqnr(layer), range_check(layer), can_fire(layer), f"{layer['neurons']:,}"
            add_row(table, *cells)
    return table
