"""The energy report as tables on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.reports.mapping_table import print_mapping
from dalif_deploy.reports.opponents_table import print_opponents
from dalif_deploy.reports.sanafe_table import print_sanafe
from dalif_deploy.reports.table_parts import (
    add_row,
    energy_range,
    new_table,
    over_samples,
    print_line,
    print_not_included,
    shown_count,
)


def print_energy_report(report: dict[str, Any], console: Console) -> None:
    """Prints the dict of `dalif_deploy.hw_models.energy.report.energy_report`."""
    data = f" of {report['data']}" if report.get("data") else ""
    print_line(
        console,
        f"{report['chip']}, {report['steps']} steps, {report['samples']} samples{data}; "
        "figures are a sample's: mean ± standard deviation (worst sample)",
    )
    console.print(_counts(report["counts"]))
    _host_layers(report, console)
    print_mapping(report["mapping"], report["chip"], console)
    _memory(report["memory"], console)
    _chip_energy(report["energy"], console)
    if report["energy_sanafe"]:
        _chip_energy(report["energy_sanafe"], console)
    if report["latency"]:
        _latency(report["latency"], console)
    if "sanafe" in report:
        print_sanafe(report["sanafe"], console)
    print_opponents(report, console)
    _comparisons(report, console)
    _constants(report["constants"], console)


def _counts(counts: dict[str, Any]) -> Table:
    table = new_table(
        "Counts (exact)", "layer", "neurons", "rate", "spikes", "synaptic operations in", "updates active", "inactive"
    )
    for layer in counts["layers"]:
        add_row(
            table,
            layer["name"],
            f"{layer['neurons']:,}",
            f"{layer['spikes_a_neuron_and_step']:.3f}",
            over_samples(layer["spikes"]),
            over_samples(layer["synaptic_operations"]),
            shown_count(layer["updates_active"]["mean"]),
            shown_count(layer["updates_inactive"]["mean"]),
        )
    total = counts["total"]
    table.add_section()
    add_row(
        table,
        "all",
        f"{sum(layer['neurons'] for layer in counts['layers']):,}",
        "",
        over_samples(total["spikes"]),
        over_samples(total["synaptic_operations"]),
        shown_count(total["updates_active"]["mean"]),
        shown_count(total["updates_inactive"]["mean"]),
    )
    return table


def _host_layers(report: dict[str, Any], console: Console) -> None:
    for layer in report["counts"]["host_layers"]:
        print_line(console, f"on the host: {layer['name']}, {layer['macs']:,} MACs {layer['counted']}")
    if report["host"]:
        host = report["host"]
        print_line(console, f"on the host: {readable(host['joules'], 'J')} ({host['status']}), in no total below")


def _memory(memory: dict[str, Any], console: Console) -> None:
    shown = new_table(
        f"Memory of the cores [{memory['status']}], bytes",
        "layer",
        "synapses read",
        "words",
        "state read",
        "state written",
    )
    for name, part in (*((layer["name"], layer) for layer in memory["layers"]), ("all", memory["total"])):
        if name == "all":
            shown.add_section()
        mapped = part["synapse_words_read"] is not None
        add_row(
            shown,
            name,
            over_samples(part["synapse_bytes_read"]) if mapped else "-",
            shown_count(part["synapse_words_read"]["mean"]) if mapped else "-",
            shown_count(part["state_bytes_read"]["mean"]),
            shown_count(part["state_bytes_written"]["mean"]),
        )
    console.print(shown)
    if memory["no_words_because"]:
        print_line(console, f"no words: {memory['no_words_because']}", style="yellow")
    print_line(console, "not counted: " + "; ".join(memory["not_counted"]), style="dim")


def _chip_energy(energy: dict[str, Any], console: Console) -> None:
    table = new_table(f"Energy: {energy['title']} [{energy['status']}]", "term", "events", "energy", "worst", "range")
    for term in energy["terms"]:
        joules = term["joules"]
        add_row(
            table,
            term["name"],
            shown_count(term["count"]["mean"]),
            readable(joules["mean"], "J"),
            readable(joules["worst"], "J"),
            energy_range(joules),
        )
    total = energy["total"]
    table.add_section()
    add_row(
        table,
        f"dynamic, on chip [{energy['status']}]",
        "",
        f"{readable(total['mean'], 'J')} ± {readable(total['std'], 'J')}",
        readable(total["worst"], "J"),
        energy_range(total),
    )
    console.print(table)
    if "static" in energy:
        _static(energy["static"], console)
    print_not_included(energy, console)


def _latency(latency: dict[str, Any], console: Console) -> None:
    def between(times: dict[str, float]) -> str:
        return f"{readable(times['low'], 's')} to {readable(times['high'], 's')}"

    print_line(
        console,
        f"latency of a sample [{latency['status']}]: alone {between(latency['alone'])} in {latency['steps_alone']} "
        f"steps, in a stream {between(latency['streamed'])}; slowest cores: {latency['slowest_layer']}",
    )
    print_not_included(latency, console)


def _static(static: dict[str, Any], console: Console) -> None:
    step = static["step_seconds"]
    chips = "1 whole chip" if static["chips"] == 1 else f"{static['chips']} whole chips"
    print_line(
        console,
        f"static, {chips} at {readable(static['watts'], 'W')}: {readable(static['low'], 'J')} to "
        f"{readable(static['high'], 'J')} [{static['status']}: steps of {readable(step['low'], 's')} to "
        f"{readable(step['high'], 's')}], not in the total",
    )


def _comparisons(report: dict[str, Any], console: Console) -> None:
    if report["no_comparison_because"]:
        print_line(console, f"no ratio: {report['no_comparison_because']}", style="yellow")
    for row in report["comparisons"]:
        static = row["with_static"]
        chips = "one chip's" if static["chips"] == 1 else f"{static['chips']} chips'"
        print_line(
            console,
            f"{row['text']}: {static['low']:.3g} to {static['high']:.3g} with {chips} static energy "
            f"({static['status']}); {row['dynamic_only']:.3g} for dynamic energy alone ({row['dynamic_only_status']})",
            style="bold",
        )
    if report["comparisons"] and report["host"]:
        print_line(console, "the host's first layer is on the GPU's side of these ratios only")


def _constants(constants: list[dict[str, Any]], console: Console) -> None:
    """One line a source: what it gave, how far it reaches, how it came about."""
    print_line(console, "Constants and their sources", style="bold")
    grouped: dict[tuple[str, ...], list[str]] = {}
    for c in constants:
        spread = ""
        if c["low"] is not None:
            spread = " (at least)" if c["high"] is None else f" ({c['low']:g} to {c['high']:g})"
        key = (c["set"], c["source"], c["scope"], c["evidence"], c["trust"])
        grouped.setdefault(key, []).append(f"{c['name']} {c['value']:g} {c['unit']}{spread}")
    for (name, source, scope, evidence, trust), entries in grouped.items():
        print_line(console, f"  {name}: {', '.join(entries)} [{scope}, {evidence}, trust {trust}]: {source}")
    print_line(
        console,
        "  trust: Q read in the source itself, Q2 in a document that quotes it, C computed from such; "
        "all-in: never added to other terms",
        style="dim",
    )
