"""What the energy report sets beside the chip, on a terminal: arithmetic, break-even, other devices."""

from __future__ import annotations

from rich.console import Console

from dalif_deploy.hw_models.energy.opponents.arithmetic import Arithmetic
from dalif_deploy.hw_models.energy.opponents.baseline import Baseline, CpuBaseline
from dalif_deploy.hw_models.energy.opponents.break_even import BreakEven
from dalif_deploy.hw_models.energy.opponents.equal_accuracy import EqualAccuracy
from dalif_deploy.hw_models.energy.opponents.gpu_measurement import MeasuredGpu
from dalif_deploy.hw_models.energy.opponents.gpu_roofline import ModelledGpu
from dalif_deploy.hw_models.energy.opponents.measurement import MeasuredRun
from dalif_deploy.hw_models.energy.report.report import EnergyReport
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.reports.table_parts import (
    add_row,
    energy_range,
    new_table,
    over_samples,
    print_line,
    print_not_included,
    shown_count,
    shown_ends,
)


def print_opponents(report: EnergyReport, console: Console) -> None:
    """Prints the report's `arithmetic_45nm`, `break_even`, `baseline` and `baseline_cpu`."""
    _arithmetic(report.arithmetic_45nm, console)
    _memory_priced(report, console)
    if report.equal_accuracy is not None:
        _equal_accuracy(report.equal_accuracy, console)
    _break_even(report.break_even, console)
    _gpu(report.baseline, console)
    _cpu(report.baseline_cpu, console)


def _arithmetic(arithmetic: Arithmetic, console: Console) -> None:
    table = new_table(
        f"Arithmetic: {arithmetic.title} [{arithmetic.status}]",
        "network",
        "precision",
        "operations",
        "energy",
        "range",
        left=3,
    )
    for row in arithmetic.rows:
        operations = ", ".join(f"{shown_count(t.count.mean)} {t.name}" for t in row.terms)
        energy = readable(row.total.mean, "J")
        add_row(
            table,
            row.network,
            row.precision,
            operations,
            f"at most {energy} [assumed]" if row.bounds_because else energy,
            energy_range(row.total),
        )
    console.print(table)
    for row in arithmetic.rows:
        if row.bounds_because:
            print_line(console, f"{row.network}: {row.bounds_because}", style="yellow")
    if sentence := arithmetic.against_int8():
        print_line(console, sentence, style="bold")
    print_line(console, "compare within one precision only: float against 8-bit decides the result by itself")
    print_not_included(arithmetic.not_included, console)


def _memory_priced(report: EnergyReport, console: Console) -> None:
    account, beside = report.memory_45nm, report.equal_accuracy
    rows = [*account.rows, *([] if beside is None else [beside.baseline_memory])]
    table = new_table(
        f"A second account: {account.title} [{account.status}]", "of a sample", *(r.network for r in rows)
    )
    for name in account.names():
        found = [next((t for t in row.terms if t.name == name), None) for row in rows]
        add_row(table, name, *("-" if term is None else readable(term.joules.mean, "J") for term in found))
    table.add_section()
    add_row(table, "all", *(readable(row.total.mean, "J") for row in rows))
    add_row(table, "all, packed into 64 bits", *(readable(row.total.low, "J") for row in rows))
    console.print(table)
    for sentence in (account.sentence(), None if beside is None else beside.memory_sentence):
        if sentence is not None:
            print_line(console, sentence, style="bold")
    print_line(console, "never to be added to the chip's energy, whose prices contain its memories")
    print_not_included(account.not_included, console)


def _equal_accuracy(beside: EqualAccuracy, console: Console) -> None:
    words = (f"Beside {beside.baseline.file} [{beside.status}]", "network", "accuracy", "MACs", "energy", "range")
    table = new_table(*words)
    baseline = beside.baseline
    skipping = beside.baseline_joules_skipping_zeros
    for name, right, macs, joules in (
        ("ReLU, int8, dense", baseline.accuracy, f"{baseline.macs:,}", beside.baseline_joules),
        ("ReLU, int8, zeros skipped", baseline.accuracy, over_samples(baseline.macs_with_input), skipping),
        ("spiking", beside.spiking_accuracy, "", beside.spiking_joules),
    ):
        add_row(table, name, f"{right:.2%}", macs, readable(joules.mean, "J"), energy_range(joules))
    console.print(table)
    print_line(console, f"{beside.sentence}; the ReLU network in float: {baseline.accuracy_float:.2%}", style="bold")


def _break_even(break_even: BreakEven, console: Console) -> None:
    if break_even.none_because:
        print_line(console, f"no break-even: {break_even.none_because}", style="yellow")
        return
    table = new_table(
        f"Break-even [{break_even.status}]: the spiking network wins below so many spikes per neuron and step; "
        f"measured {break_even.spikes_a_neuron_and_step:.3g}",
        "opponent",
        "precision",
        "rate",
        "of the measured rate",
        "steps",
        "verdict",
        left=2,
    )
    for row in break_even.rows:
        add_row(
            table,
            row.opponent + ("" if row.host_included else ", host's layers left out on both sides"),
            row.precision,
            shown_ends(row.rate),
            f"{shown_ends(row.factor)} times",
            shown_ends(row.steps),
            row.verdict,
        )
    console.print(table)
    print_not_included(break_even.not_included, console)


def _gpu(baseline: Baseline, console: Console) -> None:
    columns = ("GPU", "status", "precision", "batch", "energy", "bound by")
    table = new_table(f"Baseline: {baseline.what}{_where(baseline.measured_on)}", *columns, left=3)
    rows: list[MeasuredGpu | ModelledGpu] = [*baseline.measured, *baseline.modelled]
    for row in rows:
        add_row(
            table,
            row.gpu,
            row.status,
            row.precision,
            str(row.batch),
            readable(row.joules, "J"),
            row.bound_by if isinstance(row, ModelledGpu) else _idle_apart(row),
        )
    console.print(table)
    if baseline.not_measured_because:
        print_line(console, f"not measured: {baseline.not_measured_because}", style="yellow")
    print_not_included(baseline.not_included, console)


def _cpu(baseline: CpuBaseline, console: Console) -> None:
    if baseline.not_measured_because:
        print_line(console, f"{baseline.what}: not measured: {baseline.not_measured_because}", style="yellow")
        return
    columns = ("processor", "status", "threads", "batch", "energy", "idle", "above idle", "time")
    table = new_table(f"Baseline: {baseline.what}{_where(baseline.measured_on)}", *columns, left=2)
    for row in baseline.measured:
        add_row(
            table,
            row.processor,
            row.status,
            str(row.threads),
            str(row.batch),
            readable(row.joules, "J"),
            readable(row.joules_idle, "J"),
            _above_idle(row),
            readable(row.seconds, "s"),
        )
    console.print(table)
    print_not_included(baseline.not_included, console)


def _where(machine: str | None) -> str:
    return f", measured elsewhere, on {machine}" if machine else ""


def _idle_apart(row: MeasuredRun) -> str:
    return f"{readable(row.joules_idle, 'J')} idle, {_above_idle(row)} above"


def _above_idle(row: MeasuredRun) -> str:
    return readable(max(row.joules_above_idle, 0), "J")
