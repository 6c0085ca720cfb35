"""The energy report as one plain dict, the same for the terminal and for JSON. All energies are joules a sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..chip_network.form import ChipNetwork
from ..chips.description import load_chip
from ..mapping import DoesNotFit
from ..mapping.figures import mapping_figures
from ..samples.recording import EncodedSamples
from ..samples.statistics import over_samples
from .arithmetic import arithmetic_45nm
from .break_even import break_even
from .constant_set import load_constants
from .counts import ActivityCounts
from .gpu_roofline import modelled_gpus
from .histograms import membrane_histograms
from .latency import latency_figures
from .loihi_sanafe import sanafe_energy
from .memory import memory_figures
from .models import Term, add_terms, loihi_energy

REPORT_VERSION = 1
HEADLINE_GPU = "gpu_a100"  # the one that is compared with where nothing can be measured


def energy_report(
    network: ChipNetwork,
    encoded: EncodedSamples,
    counts: ActivityCounts,
    *,
    measured: list[dict[str, Any]],
    not_measured: str = "",
    measured_cpu: list[dict[str, Any]] | None = None,
    cpu_not_measured: str = "not tried",
    does_not_fit: DoesNotFit | None = None,
) -> dict[str, Any]:
    """Builds the report.

    Args:
        counts: with `traffic`, if the network was mapped.
        measured: rows of `gpu_measurement.measured_gpu`, or none.
        not_measured: why there are none.
        measured_cpu, cpu_not_measured: the same of `cpu_measurement.measured_cpu`.
        does_not_fit: why the network could not be mapped, if it was tried.
    """
    static_input = all(messages.shape[1] == 1 for messages in encoded.part(slice(1)).messages.values())
    chip = loihi_energy(counts, network.chip)
    modelled = modelled_gpus(network, counts.steps, static_input=static_input)
    comparisons, no_comparison = compare(chip, measured or modelled, network.chip)
    return {
        "report": "dalif-energy",
        "version": REPORT_VERSION,
        "chip": network.chip,
        "steps": counts.steps,
        "samples": counts.samples,
        "unit": "joules a sample",
        "counts": count_figures(counts),
        "memory": memory_figures(counts),
        "mapping": mapping_figures(counts.traffic, does_not_fit),
        "energy": chip,
        "energy_sanafe": sanafe_energy(network, counts),
        "latency": latency_figures(network, encoded, None if counts.traffic is None else counts.traffic.mapping),
        "host": host_figures(counts),
        "arithmetic_45nm": arithmetic_45nm(network, counts),
        "break_even": break_even(network, counts),
        "baseline": {
            "what": "the same spiking network on a GPU",
            "status": "measured" if measured else "modelled",
            "not_measured_because": None if measured else not_measured,
            "measured": measured,
            "modelled": modelled,
            "not_included": [
                "modelled: kernel launches and idle time (a real GPU at batch 1 is far slower), the host",
                "modelled: board power is taken for the whole time, an upper bound of power",
            ],
        },
        "baseline_cpu": {
            "what": "the same spiking network on this machine's processor",
            "not_measured_because": None if measured_cpu else cpu_not_measured,
            "measured": measured_cpu or [],
            "not_included": [
                "power supply, disks and fans; memory, where it has no counter of its own",
                "not modelled: no source gives this processor's peaks and power",
            ],
        },
        "histograms": membrane_histograms(network, encoded),
        "comparisons": comparisons,
        "no_comparison_because": no_comparison,
        "constants": used_constants(network.chip, modelled, sanafe=counts.traffic is not None),
    }


def count_figures(counts: ActivityCounts) -> dict[str, Any]:
    """Counts a layer and in all, over samples. Synaptic operations stand at the layer that they end in."""
    layers = []
    for name, population in counts.populations.items():
        incoming = [p.synaptic_operations for p in counts.projections.values() if p.target == name]
        layers.append(
            {
                "name": name,
                "neurons": population.neurons,
                "spikes_a_neuron_and_step": float(np.mean(population.spikes)) / (population.neurons * counts.steps),
                "spikes": over_samples(population.spikes),
                "synaptic_operations": over_samples(sum(incoming, np.zeros(counts.samples, dtype=np.int64))),
                "updates_active": over_samples(population.updates_active),
                "updates_inactive": over_samples(population.updates_inactive),
            }
        )
    return {
        "layers": layers,
        "projections": [
            {
                "name": name,
                "source": p.source,
                "target": p.target,
                "operation": "multiply-accumulate" if p.graded else "accumulate",
                "messages": over_samples(p.messages),
                "synaptic_operations": over_samples(p.synaptic_operations),
            }
            for name, p in counts.projections.items()
        ],
        "host_layers": [
            {"name": name, "macs": macs, "counted": "once a sample; zero weights included, padding not"}
            for name, macs in counts.host_macs.items()
        ],
        "total": {
            "spikes": over_samples(counts.spikes()),
            "messages": over_samples(counts.messages_sent()),
            "synaptic_operations": over_samples(counts.synaptic_operations()),
            "updates_active": over_samples(counts.updates_active()),
            "updates_inactive": over_samples(counts.updates_inactive()),
            "host_macs": sum(counts.host_macs.values()),
        },
    }


def host_figures(counts: ActivityCounts) -> dict[str, Any] | None:
    """What the host computes for a sample, as a lower bound; None if it computes nothing."""
    macs = sum(counts.host_macs.values())
    if not macs:
        return None
    constant = load_constants("cmos45_horowitz2014")["fp32_mac"]
    return {
        "status": "assumed lower bound: 45 nm float arithmetic alone, no memory, no processor",
        "macs": macs,
        "joules": add_terms([Term("MACs on the host", np.array([macs]), "fp32_mac", constant)])["mean"],
    }


def compare(
    chip: dict[str, Any], gpus: list[dict[str, Any]], chip_name: str
) -> tuple[list[dict[str, Any]], str | None]:
    """GPU energy over chip energy, each ratio with the words that it must not be quoted without.

    Returns:
        (ratios, None), or ([], the reason) where the chip's own figures are assumed.
    """
    description = load_chip(chip_name)
    if description.energy.assumed:
        return [], f"no energy an event is published for {chip_name}: its figures are assumed"
    dynamic, static = chip["total"]["mean"], chip["static"]
    if not dynamic:
        return [], "nothing happened on the chip"
    chosen = [
        gpu
        for gpu in gpus
        if gpu["status"] == "measured" or (gpu["constants"] == HEADLINE_GPU and gpu["precision"] == "fp32")
    ]
    rows = []
    for gpu in chosen:
        label = f"{gpu['gpu']}, {gpu['precision']}, batch {gpu['batch']} ({gpu['status']})"
        rows.append(
            {
                "text": f"energy ratio, {label} / {description.title} (modelled)",
                "gpu": gpu["gpu"],
                "batch": gpu["batch"],
                "gpu_status": gpu["status"],
                "chip_status": chip["status"],
                "dynamic_only": gpu["joules"] / dynamic,
                "dynamic_only_status": "the chip's side is a lower bound",
                "with_one_chip_static": _ratio_with_static(gpu["joules"], dynamic, static, 1),
                "with_static": _ratio_with_static(gpu["joules"], dynamic, static, static["chips"]),
            }
        )
    return rows, None


def _ratio_with_static(joules: float, dynamic: float, static: dict[str, Any], chips: int) -> dict[str, Any]:
    share = chips / static["chips"]
    return {
        "chips": chips,
        "low": joules / (dynamic + share * static["high"]),
        "high": joules / (dynamic + share * static["low"]),
        "status": "step length assumed",
    }


def used_constants(chip_name: str, modelled: list[dict[str, Any]], *, sanafe: bool) -> list[dict[str, Any]]:
    """Every constant behind a figure of the report, with its source; `sanafe`: with those of SANA-FE's terms."""
    chip = load_chip(chip_name)
    names = dict.fromkeys(
        [
            chip.energy.constants,
            *([chip.sanafe.constants] if sanafe and chip.sanafe else []),
            "cmos45_horowitz2014",
            *(row["constants"] for row in modelled),
        ]
    )
    rows = []
    for name in names:
        chosen = load_constants(name)
        for key, constant in chosen.constants.items():
            rows.append({"set": name, "conditions": chosen.conditions, "name": key, **constant.model_dump()})
    return rows
