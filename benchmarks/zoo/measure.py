"""One network of the zoo on its way to the chip: exported, held against its module, and in Lava where it is small."""

from __future__ import annotations

import math
import time
import traceback
from pathlib import Path
from typing import Any

import torch

import dalif_deploy
from dalif_deploy.hw_models.energy.fan_out import fan_out
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.simulation.one_engine import SimulationResult
from dalif_deploy.simulation.session import SimulationRequest, simulate_samples

from .entry import ZooNetwork

CHIP = "loihi2"
C_SAMPLES = 2
LAVA_NEURONS, LAVA_SAMPLES = 2000, 1  # Lava takes milliseconds a step for each layer
LAVA_SECONDS = 90.0


def measure(network: ZooNetwork, folder: Path) -> dict[str, Any]:
    """Figures of one network, or why there are none.

    Returns:
        `outcome`: "exported", "refused" (one line for users) or "failed" (anything else); then `neurons`, `synapses`,
        `verification` (of the module with the graph, see `Verification`), `c` and `lava` (`compared`, `mismatches`,
        or `why` it did not run), or the `line` of the refusal or failure.
    """
    began = time.perf_counter()
    try:
        artefact, samples = exported(network, folder / network.name)
    except UserError as error:
        return {"outcome": "refused", "line": str(error), "seconds": time.perf_counter() - began}
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        line = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return {"outcome": "failed", "line": line.replace("\n", " "), "seconds": time.perf_counter() - began}
    seconds = time.perf_counter() - began
    neurons = sum(math.prod(p.shape) for p in artefact.network.populations.values())
    return {
        "outcome": "exported",
        "seconds": seconds,
        "neurons": neurons,
        "synapses": synapses(artefact.network),
        "verification": artefact.export.get("verification"),
        "c": in_c(artefact, samples),
        "lava": in_lava(artefact, samples, 60 * network.lava_minutes or LAVA_SECONDS)
        if neurons <= LAVA_NEURONS or network.lava_minutes
        else {"why": f"over {LAVA_NEURONS:,} neurons"},
    }


def exported(network: ZooNetwork, out: Path) -> tuple[Any, torch.Tensor]:
    """The network as a user exports it, and its samples, [N, *shape] or [N, T, *shape]."""
    model = network.build()
    example, time_axis = network.export_example()
    if network.loop == "none":
        model = dalif_deploy.convert(model, example, steps=network.steps)
    options: dict[str, Any] = {} if time_axis is None else {"time_axis": time_axis}
    if time_axis is None:
        options["steps"] = network.steps
    moving = time_axis is not None
    spikes = moving and bool(((example == 0) | (example == 1)).all())
    options["input_mode"] = "spikes" if spikes else "graded" if moving or network.coded else "bias"
    try:
        artefact = dalif_deploy.export(model, example, out=out, chip=CHIP, **options)
    except UserError as error:
        if error.remedy is None or "--input graded" not in error.remedy:
            raise
        options["input_mode"] = "graded"
        artefact = dalif_deploy.export(model, example, out=out, chip=CHIP, **options)
    if network.coded:
        return artefact, torch.from_numpy(dalif_deploy.coded_samples(model, example))
    return artefact, example if time_axis is None else example.movedim(time_axis, 1)


def synapses(network: Any) -> int:
    """Stored synapses that are not zero."""
    return sum(
        int(fan_out(p.weight != 0, p.geometry, network.source_shape(p.source)).sum())
        for p in network.projections.values()
    )


def in_lava(artefact: Any, samples: torch.Tensor, limit: float) -> dict[str, Any]:
    """Spikes and membranes of Lava against the simulator's; `limit` in seconds."""
    request = SimulationRequest("lava", check="counterpart", options={"total_limit": limit})
    return checked(artefact, samples[:LAVA_SAMPLES], request)


def in_c(artefact: Any, samples: torch.Tensor) -> dict[str, Any]:
    """Spikes and membranes of the C code against the simulator's."""
    return checked(artefact, samples[:C_SAMPLES], SimulationRequest("c", check="counterpart"))


def checked(artefact: Any, samples: torch.Tensor, request: SimulationRequest) -> dict[str, Any]:
    """Values compared, and how many differ; or why nothing ran."""
    try:
        found = simulate_samples(artefact, samples.contiguous().numpy(), None, request)
    except UserError as error:
        return {"why": str(error)}
    assert isinstance(found, SimulationResult) and found.check is not None
    return {"compared": sum(found.check.compared.values()), "mismatches": found.check.total_mismatches}
