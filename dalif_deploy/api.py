"""The commands as functions on objects: export, load, simulate, check, energy_report.

    import dalif_deploy as dd

    net = dd.export(model, images[:8], out="exported", chip="loihi2", steps=20)
    dd.simulate(net, (images, labels))["accuracy"]
    dd.check(net, (images[:100], labels[:100]))["bit_exact"]
    dd.energy_report(net, images)["energy"]["total"]

`data` is always what the commands take ("digits:test", a .npz file), an array [N, *shape] or [N, T, *shape], a dict of
arrays by input, or a pair (inputs, labels).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.converters.artefact import Artefact, load_artefact
from dalif_deploy.converters.export import export_network
from dalif_deploy.converters.live.source import source_of_module
from dalif_deploy.converters.source import Source, load_source, source_of_graph
from dalif_deploy.converters.targets.request import CalibrationData, ExportRequest
from dalif_deploy.data import LabelledData, load_data
from dalif_deploy.hw_models.compiler import ScaleRule
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.input_data import InputData, take_samples
from dalif_deploy.simulation.coverage import require_proof
from dalif_deploy.simulation.energy_session import report_on_samples
from dalif_deploy.simulation.session import SimulationRequest, simulate_samples

Samples = str | Path | np.ndarray | dict[str, np.ndarray] | tuple[InputData, np.ndarray]


def export(
    model: str | Path | nir.NIRGraph | nn.Module,
    example_input: torch.Tensor | np.ndarray | None = None,
    *,
    out: str | Path,
    target: str = "lava",
    chip: str | None = None,
    steps: int | None = None,
    dt: float | None = None,
    reset: str | None = None,
    input_mode: str | None = None,
    weight_bits: int | None = None,
    scale_rule: ScaleRule | None = None,
    calibrate: Samples | None = None,
    force: bool = False,
) -> Artefact:
    """Exports a network into the folder `out`, as `dalif-export` does.

    Args:
        model: a checkpoint or NIR file, a NIR graph, or a module of snnTorch, SpikingJelly or Norse.
        example_input: for a module: real samples of one step, [N, *shape]; the graph is verified on them.
        target: see `dalif_deploy.converters.targets.TARGETS`.
        steps: steps of a sample, where the model does not say.
        dt: time step in seconds, where it is not the graph's own.
        reset: "zero" or "subtract", where a file or graph does not say it; a module says it itself.
        input_mode: "spikes", "graded" or "bias".
        calibrate: samples that scales are chosen by.

    Raises:
        UserError: what can't be read, said in NIR, or held by the chip; `out` exists.
    """
    request = ExportRequest(chip, steps, input_mode, weight_bits, scale_rule)
    if calibrate is not None:
        data = _labelled(calibrate, steps)
        request.calibration = CalibrationData(data.name, data.inputs)
    return export_network(_source(model, example_input, steps, dt, reset), target, out, request=request, force=force)


def load(folder: str | Path) -> Artefact:
    """Opens an exported folder."""
    return load_artefact(folder)


def simulate(
    network: Artefact, data: Samples, *, engine: str = "fast", limit: int | None = None, steps: int | None = None
) -> dict[str, Any]:
    """Runs an exported network in one engine: accuracy, predicted classes, firing rates, as `dalif-simulate` does."""
    return _simulate(network, data, SimulationRequest(engine, limit=limit, steps=steps))


def check(
    network: Artefact, data: Samples, *, limit: int | None = None, steps: int | None = None, stress: int = 0
) -> dict[str, Any]:
    """Runs every engine at hand on the same samples, as `dalif-simulate --check all` does, see `run_agreement`.

    Args:
        stress: more samples, searched to exercise what the data leaves out.

    Raises:
        CheckFailed: nothing fired, so that agreement proves nothing.
    """
    figures = _simulate(network, data, SimulationRequest("fast", "all", stress, limit, steps))
    require_proof(figures["coverage"], str(network.folder))
    return figures


def energy_report(network: Artefact, data: Samples, *, limit: int | None = None) -> dict[str, Any]:
    """Counts, mapping, energy and baselines over samples, as `dalif-energy --json` writes them.

    A network that the chip has no room for has a report too: `mapping` says why.
    """
    loaded = _labelled(data, network.network.steps)
    report, _ = report_on_samples(network, take_samples(loaded.inputs, slice(limit)))
    return {**report, "data": loaded.name, "artefact": str(network.folder)}


def _simulate(network: Artefact, data: Samples, request: SimulationRequest) -> dict[str, Any]:
    loaded = _labelled(data, request.steps or network.steps)
    labels = None if loaded.labels is None else loaded.labels[: request.limit]
    figures = simulate_samples(network, take_samples(loaded.inputs, slice(request.limit)), labels, request)
    return {"data": loaded.name, **figures}


def _source(
    model: object,
    example: torch.Tensor | np.ndarray | None,
    steps: int | None,
    dt: float | None,
    reset: str | None,
) -> Source:
    if isinstance(model, str | Path):
        return load_source(model, dt=dt, reset=reset)
    if isinstance(model, nir.NIRGraph):
        return source_of_graph(model, dt=dt, reset=reset)
    if not isinstance(model, nn.Module):
        raise UserError(f"can't export a {type(model).__name__}", remedy="give a file, a NIR graph or a torch module")
    if reset is not None:
        raise UserError("reset is given for a module, which says it itself", remedy="leave it away")
    if example is None:
        raise UserError("a module needs an example of its input", remedy="give example_input, [N, *shape]")
    return source_of_module(model, torch.as_tensor(example, dtype=torch.float32), steps=steps)


def _labelled(data: Samples, steps: int | None) -> LabelledData:
    if isinstance(data, str | Path):
        return load_data(str(data), steps=steps)
    inputs, labels = data if isinstance(data, tuple) else (data, None)
    if isinstance(inputs, torch.Tensor):
        inputs = inputs.detach().cpu().numpy()
    labels = None if labels is None else np.asarray(labels)
    return LabelledData(inputs, labels, None, "samples given")
