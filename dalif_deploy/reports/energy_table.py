"""The energy report as tables on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from dalif_deploy.hw_models.energy.figures import Joules
from dalif_deploy.hw_models.energy.latency import Latency
from dalif_deploy.hw_models.energy.memory import Accesses, Memory
from dalif_deploy.hw_models.energy.models import ChipEnergy, Energy, Static
from dalif_deploy.hw_models.energy.report.comparisons import UsedConstant
from dalif_deploy.hw_models.energy.report.counts import Counts
from dalif_deploy.hw_models.energy.report.report import EnergyReport
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.reports.mapping_table import print_mapping
from dalif_deploy.reports.opponents_table import print_opponents
from dalif_deploy.reports.sanafe_table import print_sanafe
from dalif_deploy.reports.silicon_table import print_energy_delay, print_silicon
from dalif_deploy.reports.table_parts import (
    add_row,
    energy_range,
    new_table,
    or_unbounded,
    over_samples,
    print_line,
    print_not_included,
    shown_count,
)


def print_energy_report(report: EnergyReport, console: Console) -> None:
    """Prints the report of `dalif_deploy.hw_models.energy.report.energy_report`."""
    data = f" of {report.data}" if report.data else ""
    print_line(
        console,
        f"{report.chip}, {report.steps} steps, {report.samples} samples{data}; "
        "figures are a sample's: mean ± standard deviation (worst sample)",
    )
    console.print(_counts(report.counts))
    _host_layers(report, console)
    print_mapping(report.mapping, report.chip, console)
    _memory(report.memory, console)
    _chip_energy(report.energy, console)
    if report.energy_sanafe:
        _chip_energy(report.energy_sanafe, console)
    if report.latency:
        _latency(report.latency, console)
    print_silicon(report.silicon, console)
    if report.energy_delay is not None:
        print_energy_delay(report.energy_delay, console)
    if report.sanafe:
        print_sanafe(report.sanafe, console)
    print_opponents(report, console)
    _comparisons(report, console)
    _constants(report.constants, console)


def _counts(counts: Counts) -> Table:
    table = new_table(
        "Counts (exact)", "layer", "neurons", "rate", "spikes", "synaptic operations in", "updates active", "inactive"
    )
    for layer in counts.layers:
        add_row(
            table,
            layer.name,
            f"{layer.neurons:,}",
            f"{layer.spikes_a_neuron_and_step:.3f}",
            over_samples(layer.spikes),
            over_samples(layer.synaptic_operations),
            shown_count(layer.updates_active.mean),
            shown_count(layer.updates_inactive.mean),
        )
    total = counts.total
    table.add_section()
    add_row(
        table,
        "all",
        f"{sum(layer.neurons for layer in counts.layers):,}",
        "",
        over_samples(total.spikes),
        over_samples(total.synaptic_operations),
        shown_count(total.updates_active.mean),
        shown_count(total.updates_inactive.mean),
    )
    return table


def _host_layers(report: EnergyReport, console: Console) -> None:
    for layer in report.counts.host_layers:
        print_line(console, f"on the host: {layer.name}, {layer.macs:,} MACs {layer.counted}")
    if report.host:
        host = report.host
        print_line(console, f"on the host: {readable(host.joules, 'J')} ({host.status}), in no total below")


def _memory(memory: Memory, console: Console) -> None:
    shown = new_table(
        f"Memory of the cores [{memory.status}], bytes",
        "layer",
        "synapses read",
        "words",
        "state read",
        "state written",
    )
    rows: list[tuple[str, Accesses]] = [*((layer.name, layer) for layer in memory.layers), ("all", memory.total)]
    for name, part in rows:
        if name == "all":
            shown.add_section()
        add_row(
            shown,
            name,
            "-" if part.synapse_bytes_read is None else over_samples(part.synapse_bytes_read),
            "-" if part.synapse_words_read is None else shown_count(part.synapse_words_read.mean),
            shown_count(part.state_bytes_read.mean),
            shown_count(part.state_bytes_written.mean),
        )
    console.print(shown)
    if memory.no_words_because:
        print_line(console, f"no words: {memory.no_words_because}", style="yellow")
    print_line(console, "not counted: " + "; ".join(memory.not_counted), style="dim")


def _chip_energy(energy: ChipEnergy | Energy, console: Console) -> None:
    table = new_table(f"Energy: {energy.title} [{energy.status}]", "term", "events", "energy", "worst", "range")
    for term in energy.terms:
        joules = term.joules
        add_row(
            table,
            term.name,
            shown_count(term.count.mean),
            readable(joules.mean, "J"),
            readable(joules.worst, "J"),
            energy_range(joules),
        )
    total = energy.total
    table.add_section()
    add_row(
        table,
        f"dynamic, on chip [{energy.status}]",
        "",
        f"{readable(total.mean, 'J')} ± {readable(total.std, 'J')}",
        readable(total.worst, "J"),
        energy_range(total),
    )
    console.print(table)
    if isinstance(energy, ChipEnergy):
        _static(energy.static, console)
    print_not_included(energy.not_included, console)


def _latency(latency: Latency, console: Console) -> None:
    def between(times: Joules) -> str:
        return f"{readable(times.low, 's')} to {or_unbounded(times.high, 's')}"

    print_line(
        console,
        f"latency of a sample [{latency.status}]: alone {between(latency.alone)} in {latency.steps_alone} "
        f"steps, in a stream {between(latency.streamed)}; slowest cores: {latency.slowest_layer}",
    )
    print_not_included(latency.not_included, console)


def _static(static: Static, console: Console) -> None:
    step = static.step_seconds
    chips = "1 whole chip" if static.chips == 1 else f"{static.chips} whole chips"
    print_line(
        console,
        f"static, {chips} at {readable(static.watts, 'W')}: {readable(static.low, 'J')} to "
        f"{or_unbounded(static.high, 'J')} [{static.status}: steps of {readable(step.low, 's')} to "
        f"{or_unbounded(step.high, 's')}], not in the total",
    )


def _comparisons(report: EnergyReport, console: Console) -> None:
    if report.no_comparison_because:
        print_line(console, f"no ratio: {report.no_comparison_because}", style="yellow")
    for row in report.comparisons:
        static = row.with_static
        chips = "one chip's" if static.chips == 1 else f"{static.chips} chips'"
        print_line(
            console,
            f"{row.text}: {static.low:.3g} to {static.high:.3g} with {chips} static energy "
            f"({static.status}); {row.dynamic_only:.3g} for dynamic energy alone ({row.dynamic_only_status})",
            style="bold",
        )
    if report.comparisons and report.host:
        print_line(console, "the host's first layer is on the GPU's side of these ratios only")


def _constants(constants: list[UsedConstant], console: Console) -> None:
    """One line a source: what it gave, how far it reaches, how it came about."""
    print_line(console, "Constants and their sources", style="bold")
    grouped: dict[tuple[str, ...], list[str]] = {}
    for c in constants:
        spread = ""
        if c.low is not None:
            spread = " (at least)" if c.high is None else f" ({c.low:g} to {c.high:g})"
        key = (c.set, c.source, c.scope, c.evidence, c.trust)
        grouped.setdefault(key, []).append(f"{c.name} {c.value:g} {c.unit}{spread}")
    for (name, source, scope, evidence, trust), entries in grouped.items():
        print_line(console, f"  {name}: {', '.join(entries)} [{scope}, {evidence}, trust {trust}]: {source}")
    print_line(
        console,
        "  trust: Q read in the source itself, Q2 in a document that quotes it, C computed from such; "
        "all-in: never added to other terms",
        style="dim",
    )
