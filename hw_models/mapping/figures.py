"""The mapping as the report's plain dict: cores, chips, use of limits, traffic of real spikes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..chips.description import ChipDescription
from ..samples.statistics import over_samples
from .does_not_fit import DoesNotFit
from .mapping import Core, Mapping
from .partition import CORE_LIMITS
from .traffic import TrafficCounts

NOT_MODELLED = [
    "several populations on one core",
    "where the input enters the mesh: its messages have no hops",
    "the way between chips: its messages are counted, not their hops",
    "fewer neurons a core for long delays; shared register sets of a core",
]


def mapping_figures(traffic: TrafficCounts | None, refusal: DoesNotFit | None) -> dict[str, Any]:
    """The report's `mapping`: status "fits", "does not fit" or "not mapped", and in the first case everything else."""
    if refusal is not None:
        return {
            "status": "does not fit",
            "why": str(refusal),
            "limit": refusal.limit,
            "layer": refusal.layer,
            "needed": refusal.needed,
            "available": refusal.available,
        }
    if traffic is None:
        return {"status": "not mapped"}
    mapping, chip = traffic.mapping, traffic.mapping.chip
    return {
        "status": "fits",
        "cores": len(mapping.cores),
        "chips": mapping.chips,
        "cores_a_chip": chip.limits.cores.value,
        "tiles": len({(core.chip, core.tile) for core in mapping.cores}),
        "binding_limit": mapping.binding_limit(),
        "limits": [_limit(name, mapping.cores, chip) for name in CORE_LIMITS],
        "populations": [_population(name, mapping) for name in mapping.network.populations],
        "core_list": _core_list(traffic),
        "grid": chip.grid.model_dump(),
        "synapse_encoding": chip.synapse_encoding.model_dump(include={"source", "trust", "assumed"}),
        "traffic": {kind: over_samples(counts) for kind, counts in traffic.counts.items()},
        "placement": {
            "hops": mapping.placed[0],
            "between_chips": mapping.placed[1],
            "naive_hops": mapping.naive[0],
            "naive_between_chips": mapping.naive[1],
        },
        "not_modelled": NOT_MODELLED,
    }


def _limit(name: str, cores: list[Core], chip: ChipDescription) -> dict[str, Any]:
    limit = getattr(chip.limits, name)
    used = [getattr(core.use, name) for core in cores]
    row = {"name": name, "largest_use": max(used), "mean_use": float(np.mean(used))}
    if limit is None:
        return {**row, "checked": False, "limit": None, "why": "not checked: no source"}
    return {
        **row,
        "checked": True,
        "limit": limit.value,
        "largest_share": max(used) / limit.value,
        "mean_share": float(np.mean(used)) / limit.value,
        **limit.model_dump(include={"source", "trust", "assumed"}),
    }


def _population(name: str, mapping: Mapping) -> dict[str, Any]:
    cores = mapping.cores_of(name)
    nearest = [core.binding_limit(mapping.chip) for core in cores]
    return {
        "name": name,
        "shape": list(mapping.network.populations[name].shape),
        "tile": [stop - start for start, stop in cores[0].box],
        "cores": len(cores),
        "binding_limit": max(sorted(set(nearest)), key=nearest.count),
        "largest_use": {limit: max(getattr(core.use, limit) for core in cores) for limit in CORE_LIMITS},
    }


def _core_list(traffic: TrafficCounts) -> list[dict[str, Any]]:
    mapping = traffic.mapping
    samples = len(traffic.counts["messages"])
    source, target, messages = mapping.edges(traffic.spikes)
    cores = len(mapping.cores)
    received = np.bincount(target, messages, minlength=cores) / samples
    inside = source >= 0
    sent = np.bincount(source[inside], messages[inside], minlength=cores) / samples
    return [
        {
            "population": core.population,
            "slice": [list(axis) for axis in core.box],
            "chip": core.chip,
            "tile": list(core.tile),
            **{limit: getattr(core.use, limit) for limit in CORE_LIMITS},
            "binding_limit": core.binding_limit(mapping.chip),
            "messages_in": float(received[number]),
            "messages_out": float(sent[number]),
        }
        for number, core in enumerate(mapping.cores)
    ]
