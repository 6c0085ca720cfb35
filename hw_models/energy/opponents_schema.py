"""The shape of what the report sets beside the chip: arithmetic of other networks, break-even, other devices."""

from __future__ import annotations

from typing import Literal

from .schema_base import Amount, Count, Joules, Part, Status, Term


class ArithmeticRow(Part):
    """A network in bare arithmetic; `bounds_because`: only the ends of its range have a source."""

    network: str
    precision: Literal["fp32", "int8"]
    activation_bits: Count | None
    bounds_because: str | None
    terms: list[Term]
    total: Joules


class Arithmetic(Part):
    """The 45 nm convention."""

    model: str
    title: str
    status: Status
    rows: list[ArithmeticRow]
    not_included: list[str]


class Ends(Part):
    """The ends of a range."""

    low: Amount
    high: Amount


class BreakEvenRow(Part):
    """How far all firing rates may grow until an opponent costs the same, and the mean rate then."""

    opponent: str
    precision: Literal["fp32", "int8"]
    host_included: bool
    factor: Ends
    rate: Ends
    verdict: str


class BreakEven(Part):
    """The rates at which the spiking network stops winning, beside the measured one."""

    status: Status
    spikes_a_neuron_and_step: Amount
    rows: list[BreakEvenRow]
    none_because: str | None
    not_included: list[str]


class _GpuRow(Part):
    gpu: str
    precision: str
    batch: Count
    seconds: Amount
    joules: Amount


class ModelledGpu(_GpuRow):
    """A roofline; seconds and joules a sample."""

    status: Literal["modelled"]
    constants: str
    flops: Count
    bytes: Amount
    bound_by: Literal["arithmetic", "memory"]


class _Measured(Part):
    """By the device's counter; joules above idle can come out negative."""

    status: Literal["measured"]
    joules_above_idle: float
    idle_watts: Amount
    window_seconds: Amount
    repeats: Count


class MeasuredGpu(_GpuRow, _Measured):
    """A GPU, by NVML."""


class MeasuredCpu(_Measured):
    """A processor, by RAPL."""

    processor: str
    threads: Count
    precision: str
    batch: Count
    seconds: Amount
    joules: Amount


class Baseline(Part):
    """The same spiking network elsewhere."""

    what: str
    status: Literal["measured", "modelled"]
    not_measured_because: str | None
    measured: list[MeasuredGpu]
    modelled: list[ModelledGpu]
    not_included: list[str]


class CpuBaseline(Part):
    """The same spiking network on this machine's processor, or why it was not measured."""

    what: str
    not_measured_because: str | None
    measured: list[MeasuredCpu]
    not_included: list[str]
