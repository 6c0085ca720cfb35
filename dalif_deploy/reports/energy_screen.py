"""The energy report on one screen: at most 30 lines at 80 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dalif_deploy.hw_models.energy.figures import Joules
from dalif_deploy.hw_models.energy.models import EnergyByModel
from dalif_deploy.hw_models.energy.report.mapping import Fits, Refused
from dalif_deploy.hw_models.energy.report.report import EnergyReport
from dalif_deploy.hw_models.energy.units import readable
from dalif_deploy.reports.compared_gpus import compared_gpus
from dalif_deploy.reports.energy_sentence import energy_sentence, error_sentence
from dalif_deploy.reports.mapping_table import LIMITS
from dalif_deploy.reports.sanafe_table import print_sanafe
from dalif_deploy.reports.status_words import mapping_word, what_is_assumed
from dalif_deploy.reports.table_parts import energy_range, or_unbounded, shortened, shown_count

WIDEST = 100  # columns: longer lines are harder to read
TERMS = 3
BAR = 24  # columns of the longest bar


def print_energy_screen(report: EnergyReport, console: Console) -> None:
    """Prints what a report is opened for; the rest is in `energy_table`, on the page and in the JSON."""
    width = min(console.width, WIDEST)
    console.print(Text(shortened(energy_sentence(report), 400), style="bold"), width=width)
    console.print()
    console.print(_where_it_goes(report.energy, console), width=width)
    console.print()
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, words in _facts(report):
        style = "red" if isinstance(report.mapping, Refused) and name == "cores" else ""
        facts.add_row(Text(name, style="bold"), Text(words, style=style))
    console.print(facts, width=width)
    if report.sanafe is not None:
        print_sanafe(report.sanafe, console)
    console.print()
    console.print(Text("--details: every table; --html FILE: the page; --json FILE: all figures", style="dim"))


def _where_it_goes(energy: EnergyByModel, console: Console) -> Table:
    """The largest terms, a bar each, and what the others come to."""
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    for _ in range(2):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    block = "#" if console.options.ascii_only else "█"
    terms = sorted(energy.terms, key=lambda term: term.joules.mean, reverse=True)
    rows = [(term.name, term.joules.mean) for term in terms[:TERMS]]
    if others := terms[TERMS:]:
        rows.append((f"{len(others)} other terms", sum(term.joules.mean for term in others)))
    whole = sum(joules for _, joules in rows)
    largest = max(joules for _, joules in rows)
    for name, joules in rows:
        share = joules / whole if whole else 0.0
        length = round(BAR * joules / largest) if largest else 0
        table.add_row(Text(name), Text(readable(joules, "J")), Text(f"{share:.0%}"), Text(block * length))
    return table


def _facts(report: EnergyReport) -> list[tuple[str, str]]:
    total = report.energy.total
    model = f"{readable(total.mean, 'J')}, {energy_range(total)}, worst sample {readable(total.worst, 'J')}"
    rows = [("error", error_sentence(report)), ("model", f"{model}; {report.energy.title}")]
    if report.energy_sanafe is not None:
        other = report.energy_sanafe
        rows.append(("SANA-FE", f"{readable(other.total.mean, 'J')} by its terms [{other.status}]"))
    rows += [("GPU", _gpu(report)), ("int8", _int8(report)), ("cores", _cores(report))]
    if report.latency is not None:
        latency = report.latency
        rows.append(
            ("time", f"{_between(latency.streamed)} in a stream, alone {_between(latency.alone)} [{latency.status}]")
        )
    if report.host is not None:
        macs = f"{report.host.macs:,} MACs, at least {readable(report.host.joules, 'J')}"
        rows.append(("host", f"{macs}, in no total [assumed lower bound]"))
    counts = report.counts.total
    updates = counts.updates_active.mean + counts.updates_inactive.mean
    rows.append(
        (
            "exact",
            f"{shown_count(counts.synaptic_operations.mean)} synaptic operations, {shown_count(counts.spikes.mean)} "
            f"spikes, {shown_count(updates)} neuron updates a sample",
        )
    )
    if report.check is not None:
        rows.append(("check", report.check.sentence()))
    rows.append(("assumed", "; ".join(what_is_assumed(report)) or "nothing; every other figure is modelled"))
    return rows


def _between(times: Joules) -> str:
    return f"{readable(times.low, 's')} to {or_unbounded(times.high, 's')}"


def _gpu(report: EnergyReport) -> str:
    if not report.comparisons:
        return f"no ratio: {shortened(report.no_comparison_because or 'none was made')}"
    row = report.comparisons[0]
    joules = compared_gpus(report)[0].joules
    static = row.with_static
    return (
        f"{row.gpu}, batch {row.batch}: {readable(joules, 'J')} [{row.gpu_status}]; {static.low:.3g} to "
        f"{static.high:.3g} times the chip's with static energy [{static.status}]"
    )


def _int8(report: EnergyReport) -> str:
    if report.equal_accuracy is not None:
        return f"{report.equal_accuracy.sentence} [{report.equal_accuracy.status}]"
    return report.arithmetic_45nm.against_int8() or "no feed-forward int8 network of the same architecture"


def _cores(report: EnergyReport) -> str:
    mapping = report.mapping
    if isinstance(mapping, Refused):
        return f"does not fit: {shortened(mapping.why)}"
    if not isinstance(mapping, Fits):
        return mapping.status
    chips = "1 chip" if mapping.chips == 1 else f"{mapping.chips:,} chips"
    return (
        f"{mapping.cores:,} of {mapping.chips * mapping.cores_a_chip:,} on {chips}, bound by "
        f"{LIMITS[mapping.binding_limit]} [{mapping_word(mapping)}]"
    )
