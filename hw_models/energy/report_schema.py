"""The shape of the report: what `dalif-energy --json` writes; published as docs/energy-report.schema.json."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Number = float | int
Status = Annotated[str, Field(pattern="^(measured|modelled|assumed)")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OverSamples(_Part):
    """A count over samples."""

    mean: Number
    std: Number
    worst: Number


class Joules(OverSamples):
    """An energy over samples; `low` and `high` by the spread of its constants, `high` None without an upper bound."""

    low: Number
    high: Number | None


class LayerCounts(_Part):
    """Exact counts of a layer; synaptic operations stand at the layer that they end in."""

    name: str
    neurons: int
    spikes_a_neuron_and_step: Number
    spikes: OverSamples
    synaptic_operations: OverSamples
    updates_active: OverSamples
    updates_inactive: OverSamples


class ProjectionCounts(_Part):
    """Exact counts of the synapses between two layers."""

    name: str
    source: str
    target: str
    operation: Literal["accumulate", "multiply-accumulate"]
    messages: OverSamples
    synaptic_operations: OverSamples


class HostLayer(_Part):
    """A layer that the host computes once a sample."""

    name: str
    macs: int
    counted: str


class TotalCounts(_Part):
    """Counts of the whole network."""

    spikes: OverSamples
    messages: OverSamples
    synaptic_operations: OverSamples
    updates_active: OverSamples
    updates_inactive: OverSamples
    host_macs: int


class Counts(_Part):
    """All counts."""

    layers: list[LayerCounts]
    projections: list[ProjectionCounts]
    host_layers: list[HostLayer]
    total: TotalCounts


class Term(_Part):
    """So many events at so much each."""

    name: str
    constant: str
    evidence: str
    count: OverSamples
    joules: Joules


class Energy(BaseModel):
    """Dynamic energy on the chip by one set of constants; a model may say more of itself."""

    model_config = ConfigDict(extra="allow")
    model: str
    title: str
    status: Status
    terms: list[Term]
    total: Joules
    not_included: list[str]


class Host(_Part):
    """What the host computes, a lower bound."""

    status: Status
    macs: int
    joules: Number


class ArithmeticRow(_Part):
    """A network in bare arithmetic."""

    network: str
    precision: str
    terms: list[Term]
    total: Joules


class Arithmetic(BaseModel):
    """The 45 nm convention; opponents and break-even may stand beside it."""

    model_config = ConfigDict(extra="allow")
    model: str
    title: str
    status: Status
    rows: list[ArithmeticRow]
    not_included: list[str]


class GpuRow(BaseModel):
    """The network on a GPU, measured or modelled."""

    model_config = ConfigDict(extra="allow")
    status: Status
    gpu: str
    precision: str
    batch: int
    joules: Number


class Baseline(BaseModel):
    """The same spiking network elsewhere."""

    model_config = ConfigDict(extra="allow")
    what: str
    status: Status
    not_measured_because: str | None
    measured: list[GpuRow]
    modelled: list[GpuRow]
    not_included: list[str]


class StaticRange(_Part):
    """A ratio with static energy, for both ends of its range."""

    chips: int
    low: Number
    high: Number
    status: str


class Comparison(_Part):
    """A ratio, with what it must not be quoted without."""

    text: str
    gpu: str
    batch: int
    gpu_status: Status
    chip_status: Status
    dynamic_only: Number
    dynamic_only_status: str
    with_one_chip_static: StaticRange
    with_static: StaticRange


class Constant(_Part):
    """A constant behind a figure, see `hw_models.energy.constant_set`."""

    set: str
    conditions: str
    name: str
    value: Number
    low: Number | None
    high: Number | None
    unit: str
    scope: Literal["per-term", "all-in"]
    evidence: Literal["simulated", "measured", "assumed", "derived", "specified"]
    source: str
    trust: str
    note: str


class LayerHistogram(_Part):
    """Membranes of a layer, in thresholds."""

    name: str
    edges: list[Number]
    counts: list[int]


class Histograms(_Part):
    """Membranes of all layers that fire."""

    samples: int
    layers: list[LayerHistogram]


class SanafeRow(_Part):
    """An event, counted here and by SANA-FE."""

    name: str
    unit: str
    ours: Number
    sanafe: Number
    largest_difference: Number


class Latency(_Part):
    """A time with its word."""

    mean: Number
    status: Status


class Sanafe(_Part):
    """The comparison that --sanafe asks for."""

    samples: int
    rows: list[SanafeRow]
    sanafe_seconds: Latency
    taken_off: str


class EnergyReport(BaseModel):
    """The whole report; all energies are joules a sample. Further parts may join without a new version."""

    model_config = ConfigDict(extra="allow", title="dalif-energy report")
    report: Literal["dalif-energy"]
    version: Literal[1]
    chip: str
    steps: int
    samples: int
    unit: Literal["joules a sample"]
    counts: Counts
    mapping: dict[str, Any] | None
    energy: Energy
    energy_sanafe: Energy | None
    host: Host | None
    arithmetic_45nm: Arithmetic
    baseline: Baseline
    histograms: Histograms
    comparisons: list[Comparison]
    no_comparison_because: str | None
    constants: list[Constant]
    sanafe: Sanafe | None = None
    data: str
    artefact: str


def report_schema() -> dict[str, Any]:
    """JSON Schema of the report."""
    return EnergyReport.model_json_schema()
