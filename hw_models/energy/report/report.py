"""The report that `dalif-energy --json` writes; its JSON Schema is published as docs/energy-report.schema.json.

A part that joins the report joins here; one that leaves or changes its meaning raises REPORT_VERSION.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict

from ...notebook_table import notebook_table
from ..figures import Amount, Count, Part, Status
from ..latency import Latency
from ..memory import Memory
from ..models import ChipEnergy, Energy
from ..opponents.arithmetic import Arithmetic
from ..opponents.baseline import Baseline, CpuBaseline
from ..opponents.break_even import BreakEven
from ..opponents.equal_accuracy import EqualAccuracy
from ..opponents.memory_accounting import MemoryAccount
from ..units import readable
from .check import CheckRecord
from .comparisons import Comparison, UsedConstant
from .counts import Counts
from .energy_delay import EnergyDelay
from .expected import Silicon
from .histograms import Histograms
from .mapping import MappingFigures

REPORT_VERSION: Literal[1] = 1


class Host(Part):
    """What the host computes, a lower bound."""

    status: Status
    macs: Count
    joules: Amount


class SanafeRow(Part):
    """An event, counted here and by SANA-FE."""

    name: str
    unit: str
    ours: Amount
    sanafe: Amount
    largest_difference: Amount


class Time(Part):
    """A time with its word."""

    mean: Amount
    status: Status


class Sanafe(Part):
    """The comparison that --sanafe asks for."""

    samples: Count
    rows: list[SanafeRow]
    sanafe_seconds: Time
    taken_off: str


class EnergyReport(Part):
    """The whole report; all energies are joules a sample."""

    model_config = ConfigDict(title="dalif-energy report")
    mark: str | None = None  # of files: who wrote them
    report: Literal["dalif-energy"]
    version: Literal[1]
    chip: str
    steps: Count
    samples: Count
    unit: Literal["joules a sample"]
    counts: Counts
    memory: Memory
    mapping: MappingFigures
    energy: ChipEnergy
    energy_sanafe: Energy | None
    silicon: Silicon
    latency: Latency | None
    energy_delay: EnergyDelay | None
    host: Host | None
    arithmetic_45nm: Arithmetic
    memory_45nm: MemoryAccount
    break_even: BreakEven
    baseline: Baseline
    baseline_cpu: CpuBaseline
    histograms: Histograms
    comparisons: list[Comparison]
    no_comparison_because: str | None
    constants: list[UsedConstant]
    data: str
    artefact: str
    sanafe: Sanafe | None = None
    check: CheckRecord | None = None
    equal_accuracy: EqualAccuracy | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and words, as in the JSON; what nobody asked for is left out."""
        asked = {"sanafe": self.sanafe, "check": self.check, "equal_accuracy": self.equal_accuracy}
        return self.model_dump(exclude={"mark", *(name for name, part in asked.items() if part is None)})

    def headline(self) -> list[tuple[str, str, str]]:
        """(what, figure, its word) of the few figures that a report is opened for."""
        expected, operations = self.silicon.energy, self.counts.total.synaptic_operations.mean
        upper = "no upper bound" if expected.high is None else f"to {readable(expected.high, 'J')}"
        figure = f"{readable(expected.value, 'J')} ({readable(expected.low, 'J')} {upper}, {expected.range_from})"
        rows = [
            ("dynamic energy", figure, self.energy.status),
            ("synaptic operations", f"{operations:,.0f}", "exact"),
        ]
        if self.mapping.status == "fits":
            rows.append(("cores", f"{self.mapping.cores:,} on {self.mapping.chips:,} chip(s)", "modelled"))
        else:
            rows.append(("cores", self.mapping.status, "modelled"))
        if self.latency is not None:
            stream = self.latency.streamed
            upper = "and more" if stream.high is None else f"to {readable(stream.high, 's')}"
            rows.append(("time in a stream", f"{readable(stream.low, 's')} {upper}", self.latency.status))
        return rows

    def __repr__(self) -> str:
        what = ", ".join(f"{name} {figure} [{word}]" for name, figure, word in self.headline())
        return f"<EnergyReport of {self.samples} samples on {self.chip}: {what}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """The headline as a table, for a notebook; names come from foreign files and are escaped."""
        network = self.artefact or "a network"
        caption = f"{network} on {self.chip}: a sample of {self.steps} steps, mean over {self.samples}"
        return notebook_table(caption, self.headline())


def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the report."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **EnergyReport.model_json_schema()}
