"""Puts the energy report together from counts, prices and measurements. All energies are joules a sample."""

from __future__ import annotations

import numpy as np

from ...chip_network.form import ChipNetwork
from ...mapping import DoesNotFit
from ...progress import counted
from ...samples.recording import EncodedSamples
from ..constant_set import load_constants
from ..counts import ActivityCounts
from ..latency import latency_figures
from ..loihi_sanafe import sanafe_energy
from ..memory import memory_figures
from ..models import PricedEvents, add_terms, loihi_energy
from ..opponents.arithmetic import arithmetic_45nm
from ..opponents.baseline import cpu_baseline, gpu_baseline
from ..opponents.break_even import break_even
from ..opponents.cpu_measurement import MeasuredCpu
from ..opponents.gpu_measurement import MeasuredGpu
from ..opponents.gpu_roofline import modelled_gpus
from ..opponents.memory_accounting import memory_account
from .comparisons import compare, used_constants
from .counts import count_figures
from .energy_delay import energy_delay
from .expected import silicon_figures
from .histograms import histograms
from .mapping import mapping_figures
from .report import REPORT_VERSION, EnergyReport, Host

PARTS = 15  # that `energy_report` makes one after the other


def energy_report(
    network: ChipNetwork,
    encoded: EncodedSamples,
    counts: ActivityCounts,
    *,
    measured: list[MeasuredGpu],
    not_measured: str = "",
    measured_cpu: list[MeasuredCpu] | None = None,
    cpu_not_measured: str = "not tried",
    measured_on: str | None = None,
    does_not_fit: DoesNotFit | None = None,
    data: str = "",
    artefact: str = "",
) -> EnergyReport:
    """Builds the report.

    Args:
        counts: with `traffic`, if the network was mapped.
        measured: rows of `gpu_measurement.measured_gpu`, or none.
        not_measured: why there are none.
        measured_cpu, cpu_not_measured: the same of `cpu_measurement.measured_cpu`.
        measured_on: the machine that measured, if it was not this one.
        does_not_fit: why the network could not be mapped, if it was tried.
        data, artefact: names of the samples and of the exported network, as the reader knows them.
    """
    part = counted("pricing, parts of the report", PARTS)
    static_input = all(messages.shape[1] == 1 for messages in encoded.part(slice(1)).messages.values())
    chip = part(loihi_energy(counts, network.chip))
    modelled = part(modelled_gpus(network, counts.steps, static_input=static_input))
    latency = part(latency_figures(network, encoded, None if counts.traffic is None else counts.traffic.mapping))
    comparisons, no_comparison = part(compare(chip, measured or modelled, network.chip))
    return EnergyReport(
        report="dalif-energy",
        version=REPORT_VERSION,
        chip=network.chip,
        steps=counts.steps,
        samples=counts.samples,
        unit="joules a sample",
        counts=part(count_figures(counts)),
        memory=part(memory_figures(counts)),
        mapping=part(mapping_figures(counts.traffic, does_not_fit)),
        energy=chip,
        energy_sanafe=part(sanafe_energy(network, counts)),
        silicon=part(silicon_figures(network.chip, chip.total, None if latency is None else latency.streamed)),
        latency=latency,
        energy_delay=part(energy_delay(chip, latency, network.chip)),
        host=host_figures(counts),
        arithmetic_45nm=part(arithmetic_45nm(network, counts)),
        memory_45nm=part(memory_account(network, counts)),
        break_even=part(break_even(network, counts)),
        baseline=gpu_baseline(measured, modelled, not_measured, measured_on),
        baseline_cpu=cpu_baseline(measured_cpu, cpu_not_measured, measured_on),
        histograms=part(histograms(network, encoded, counts)),
        comparisons=comparisons,
        no_comparison_because=no_comparison,
        constants=part(used_constants(network.chip, modelled, sanafe=counts.traffic is not None)),
        data=data,
        artefact=artefact,
    )


def host_figures(counts: ActivityCounts) -> Host | None:
    """What the host computes for a sample, as a lower bound; None if it computes nothing."""
    macs = sum(counts.host_macs.values())
    if not macs:
        return None
    constant = load_constants("cmos45_horowitz2014")["fp32_mac"]
    return Host(
        status="assumed lower bound: 45 nm float arithmetic alone, no memory, no processor",
        macs=macs,
        joules=add_terms([PricedEvents("MACs on the host", np.array([macs]), "fp32_mac", constant)]).mean,
    )
