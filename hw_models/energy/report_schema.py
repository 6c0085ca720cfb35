"""The shape of the report that `dalif-energy --json` writes; published as docs/energy-report.schema.json.

A part that joins the report joins here; one that leaves or changes its meaning raises REPORT_VERSION.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict

from .counts_schema import Counts
from .histogram_schema import Histograms
from .mapping_schema import MappingFigures
from .memory_schema import Memory
from .opponents_schema import Arithmetic, Baseline, BreakEven, CpuBaseline
from .schema_base import Amount, Count, Evidence, Joules, Part, Status, Term, Trust


class Energy(Part):
    """Dynamic energy on the chip by one set of constants."""

    model: str
    title: str
    status: Status
    terms: list[Term]
    total: Joules
    not_included: list[str]


class Span(Part):
    """A value and its range."""

    value: Amount
    low: Amount
    high: Amount | None


class Static(Part):
    """Leakage of whole chips over a sample; `watts` is one chip's."""

    status: Status
    chips: Count
    joules: Amount
    low: Amount
    high: Amount | None
    step_seconds: Span
    watts: Amount


class ChipEnergy(Energy):
    """Dynamic energy, and static energy apart."""

    static: Static


class Host(Part):
    """What the host computes, a lower bound."""

    status: Status
    macs: Count
    joules: Amount


class StaticRange(Part):
    """A ratio with static energy, for both ends of its range."""

    chips: Count
    low: Amount
    high: Amount
    status: Literal["step length assumed"]


class Comparison(Part):
    """A ratio, with what it must not be quoted without."""

    text: str
    gpu: str
    batch: Count
    gpu_status: Status
    chip_status: Status
    dynamic_only: Amount
    dynamic_only_status: Literal["the chip's side is a lower bound"]
    with_one_chip_static: StaticRange
    with_static: StaticRange


class UsedConstant(Part):
    """A constant behind a figure, see `dalif_deploy.hw_models.energy.constant_set`."""

    set: str
    conditions: str
    name: str
    value: Amount
    low: Amount | None
    high: Amount | None
    unit: str
    scope: Literal["per-term", "all-in"]
    evidence: Evidence
    source: str
    trust: Trust
    note: str


class SanafeRow(Part):
    """An event, counted here and by SANA-FE."""

    name: str
    unit: str
    ours: Amount
    sanafe: Amount
    largest_difference: Amount


class Latency(Part):
    """Seconds a sample takes on the chip."""

    status: Status
    samples: Count
    alone: Joules
    streamed: Joules
    longest_step: Amount
    slowest_layer: str
    steps_alone: Count
    not_included: list[str]


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
    latency: Latency | None
    host: Host | None
    arithmetic_45nm: Arithmetic
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


def report_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the report."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **EnergyReport.model_json_schema()}
