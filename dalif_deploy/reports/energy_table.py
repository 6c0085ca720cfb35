"""The energy report as tables on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dalif_deploy.reports.mapping_table import print_mapping
from dalif_deploy.reports.sanafe_table import print_sanafe
from hw_models.energy.units import readable


def print_energy_report(report: dict[str, Any], console: Console) -> None:
    """Prints the dict of `hw_models.energy.report.energy_report`."""
    data = f" of {report['data']}" if report.get("data") else ""
    _line(
        console,
        f"{report['chip']}, {report['steps']} steps, {report['samples']} samples{data}; "
        "figures are a sample's: mean ± standard deviation (worst sample)",
    )
    console.print(_counts(report["counts"]))
    _host_layers(report, console)
    print_mapping(report["mapping"], report["chip"], console)
    _chip_energy(report["energy"], console)
    if report["energy_sanafe"]:
        _chip_energy(report["energy_sanafe"], console)
    if report["latency"]:
        _latency(report["latency"], console)
    if "sanafe" in report:
        print_sanafe(report["sanafe"], console)
    _arithmetic(report["arithmetic_45nm"], console)
    _baseline(report["baseline"], console)
    _comparisons(report, console)
    _constants(report["constants"], console)


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style))


def _table(title: str, *columns: str, left: int = 1) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        if index < left:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(cell) for cell in cells))  # Text: a layer's name is never markup


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _spread(figure: dict[str, float]) -> str:
    return f"{_number(figure['mean'])} ± {_number(figure['std'])} ({_number(figure['worst'])})"


def _counts(counts: dict[str, Any]) -> Table:
    table = _table(
        "Counts (exact)", "layer", "neurons", "rate", "spikes", "synaptic operations in", "updates active", "inactive"
    )
    for layer in counts["layers"]:
        _row(
            table,
            layer["name"],
            f"{layer['neurons']:,}",
            f"{layer['spikes_a_neuron_and_step']:.3f}",
            _spread(layer["spikes"]),
            _spread(layer["synaptic_operations"]),
            _number(layer["updates_active"]["mean"]),
            _number(layer["updates_inactive"]["mean"]),
        )
    total = counts["total"]
    table.add_section()
    _row(
        table,
        "all",
        f"{sum(layer['neurons'] for layer in counts['layers']):,}",
        "",
        _spread(total["spikes"]),
        _spread(total["synaptic_operations"]),
        _number(total["updates_active"]["mean"]),
        _number(total["updates_inactive"]["mean"]),
    )
    return table


def _host_layers(report: dict[str, Any], console: Console) -> None:
    for layer in report["counts"]["host_layers"]:
        _line(console, f"on the host: {layer['name']}, {layer['macs']:,} MACs {layer['counted']}")
    if report["host"]:
        host = report["host"]
        _line(console, f"on the host: {readable(host['joules'], 'J')} ({host['status']}), in no total below")


def _range(joules: dict[str, Any]) -> str:
    if joules["high"] is None:
        return f"at least {readable(joules['low'], 'J')}"
    if joules["low"] == joules["high"]:
        return "no spread known"
    return f"{readable(joules['low'], 'J')} to {readable(joules['high'], 'J')}"


def _chip_energy(energy: dict[str, Any], console: Console) -> None:
    table = _table(f"Energy: {energy['title']} [{energy['status']}]", "term", "events", "energy", "worst", "range")
    for term in energy["terms"]:
        joules = term["joules"]
        _row(
            table,
            term["name"],
            _number(term["count"]["mean"]),
            readable(joules["mean"], "J"),
            readable(joules["worst"], "J"),
            _range(joules),
        )
    total = energy["total"]
    table.add_section()
    _row(
        table,
        f"dynamic, on chip [{energy['status']}]",
        "",
        f"{readable(total['mean'], 'J')} ± {readable(total['std'], 'J')}",
        readable(total["worst"], "J"),
        _range(total),
    )
    console.print(table)
    if "static" in energy:
        _static(energy["static"], console)
    _not_included(energy, console)


def _latency(latency: dict[str, Any], console: Console) -> None:
    def between(times: dict[str, float]) -> str:
        return f"{readable(times['low'], 's')} to {readable(times['high'], 's')}"

    _line(
        console,
        f"latency of a sample [{latency['status']}]: alone {between(latency['alone'])} in {latency['steps_alone']} "
        f"steps, in a stream {between(latency['streamed'])}; slowest cores: {latency['slowest_layer']}",
    )
    _not_included(latency, console)


def _static(static: dict[str, Any], console: Console) -> None:
    step = static["step_seconds"]
    chips = "1 whole chip" if static["chips"] == 1 else f"{static['chips']} whole chips"
    _line(
        console,
        f"static, {chips} at {readable(static['watts'], 'W')}: {readable(static['low'], 'J')} to "
        f"{readable(static['high'], 'J')} [{static['status']}: steps of {readable(step['low'], 's')} to "
        f"{readable(step['high'], 's')}], not in the total",
    )


def _not_included(part: dict[str, Any], console: Console) -> None:
    _line(console, "not included: " + "; ".join(part["not_included"]), style="dim")


def _arithmetic(arithmetic: dict[str, Any], console: Console) -> None:
    table = _table(
        f"Arithmetic: {arithmetic['title']} [{arithmetic['status']}]",
        "network",
        "precision",
        "operations",
        "energy",
        "range",
        left=3,
    )
    for row in arithmetic["rows"]:
        operations = ", ".join(f"{_number(t['count']['mean'])} {t['name']}" for t in row["terms"])
        total = row["total"]
        _row(table, row["network"], row["precision"], operations, readable(total["mean"], "J"), _range(total))
    console.print(table)
    _line(console, "compare within one precision only: float against 8-bit decides the result by itself")
    _not_included(arithmetic, console)


def _baseline(baseline: dict[str, Any], console: Console) -> None:
    table = _table(f"Baseline: {baseline['what']}", "GPU", "status", "precision", "batch", "energy", "bound by", left=3)
    for row in (*baseline["measured"], *baseline["modelled"]):
        _row(
            table,
            row["gpu"],
            row["status"],
            row["precision"],
            str(row["batch"]),
            readable(row["joules"], "J"),
            row.get("bound_by", f"{readable(max(row.get('joules_above_idle', 0), 0), 'J')} above idle"),
        )
    console.print(table)
    if baseline["not_measured_because"]:
        _line(console, f"not measured: {baseline['not_measured_because']}", style="yellow")
    _not_included(baseline, console)


def _comparisons(report: dict[str, Any], console: Console) -> None:
    if report["no_comparison_because"]:
        _line(console, f"no ratio: {report['no_comparison_because']}", style="yellow")
    for row in report["comparisons"]:
        static = row["with_static"]
        chips = "one chip's" if static["chips"] == 1 else f"{static['chips']} chips'"
        _line(
            console,
            f"{row['text']}: {static['low']:.3g} to {static['high']:.3g} with {chips} static energy "
            f"({static['status']}); {row['dynamic_only']:.3g} for dynamic energy alone ({row['dynamic_only_status']})",
            style="bold",
        )
    if report["comparisons"] and report["host"]:
        _line(console, "the host's first layer is on the GPU's side of these ratios only")


def _constants(constants: list[dict[str, Any]], console: Console) -> None:
    """One line a source: what it gave, how far it reaches, how it came about."""
    _line(console, "Constants and their sources", style="bold")
    grouped: dict[tuple[str, ...], list[str]] = {}
    for c in constants:
        spread = ""
        if c["low"] is not None:
            spread = " (at least)" if c["high"] is None else f" ({c['low']:g} to {c['high']:g})"
        key = (c["set"], c["source"], c["scope"], c["evidence"], c["trust"])
        grouped.setdefault(key, []).append(f"{c['name']} {c['value']:g} {c['unit']}{spread}")
    for (name, source, scope, evidence, trust), entries in grouped.items():
        _line(console, f"  {name}: {', '.join(entries)} [{scope}, {evidence}, trust {trust}]: {source}")
    _line(
        console,
        "  trust: Q read in the source itself, Q2 in a document that quotes it, C computed from such; "
        "all-in: never added to other terms",
        style="dim",
    )
