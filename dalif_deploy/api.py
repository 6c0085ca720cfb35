"""The commands as functions on objects: export, load, simulate, check, energy_report.

    import dalif_deploy as dd

    net = dd.export(model, images[:8], out="exported", chip="loihi2", steps=20)
    dd.simulate(net, (images, labels)).accuracy
    dd.check(net, (images[:100], labels[:100])).bit_exact
    dd.energy_report(net, images).energy.total

`data` is always what the commands take ("digits:test", a .npz file), an array [N, *shape] or [N, T, *shape], a dict of
arrays by input, NIR's data (`nir.NIRGraphData`, `nir.NIRNodeData`, or a file that `nir.write_data` wrote), or a pair
(inputs, labels).
"""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import torch
from torch import nn

from dalif_deploy.converters.artefact import Artefact, load_artefact
from dalif_deploy.converters.export_network import export_network
from dalif_deploy.converters.export_request import CalibrationData, ExportRequest
from dalif_deploy.converters.sources import ReadRequest, load_source
from dalif_deploy.data import LabelledData, load_data
from dalif_deploy.data.nir_data import NirData
from dalif_deploy.data.nir_data_file import is_nir_data
from dalif_deploy.hw_models.compiler import ScaleRule
from dalif_deploy.hw_models.energy.report import EnergyReport
from dalif_deploy.hw_models.progress_bars import shown_progress
from dalif_deploy.hw_models.samples.input_data import InputData, take_samples
from dalif_deploy.simulation.agreement import Agreement
from dalif_deploy.simulation.coverage import require_proof
from dalif_deploy.simulation.energy_session import report_on_samples
from dalif_deploy.simulation.nir_samples import nir_file_samples, nir_samples
from dalif_deploy.simulation.one_engine import SimulationResult
from dalif_deploy.simulation.session import SimulationRequest, simulate_samples
from dalif_deploy.zoo import zoo_file

Samples = (
    str
    | Path
    | np.ndarray
    | dict[str, np.ndarray]
    | NirData
    | tuple[InputData, np.ndarray]
    | tuple[NirData, np.ndarray]
)


def export(
    model: str | Path | nir.NIRGraph | nn.Module,
    example_input: torch.Tensor | np.ndarray | tuple[torch.Tensor | np.ndarray, np.ndarray] | None = None,
    *,
    out: str | Path,
    target: str = "lava",
    chip: str | None = None,
    steps: int | None = None,
    dt: float | None = None,
    reset: str | None = None,
    input_mode: str | None = None,
    input_range: tuple[float, float] | None = None,
    weight_bits: int | None = None,
    scale_rule: ScaleRule | None = None,
    calibrate: Samples | None = None,
    time_axis: int | None = None,
    rewrite: dict[str, str] | None = None,
    force: bool = False,
) -> Artefact:
    """Exports a network into the folder `out`, as `dalif-export` does.

    Args:
        model: a path, "zoo:NAME" (a trained network that comes with the package), or an object in memory: see
            `dalif_deploy.converters.sources.SOURCES`.
        example_input: for a module: real samples, [N, *shape], which are shown at each step, or with time in them,
            see `time_axis`; the graph is verified on them. A pair (samples, labels) tells a rewrite's accuracy.
        target: see `dalif_deploy.converters.targets.TARGETS`.
        steps: steps of a sample, where the model does not say.
        dt: time step in seconds, where it is not the graph's own.
        reset: "zero" or "subtract", where a file or graph does not say it; a module says it itself.
        input_mode: "spikes", "graded" or "bias".
        input_range: lowest and highest value of the data, for "graded" and "bias"; by default those of the example or
            of what the network was trained on, else (0, 1). Data beyond it is refused later.
        calibrate: samples that scales are chosen by; no NIR data.
        time_axis: for a module: axis of `example_input` that is time: 1 for [N, T, ...], 0 for [T, N, ...], -1 for
            [N, ..., T].
        rewrite: for a module: {"max-pool": "after-spikes" or "average"}, what becomes of max pools over currents;
            `rewrite` in `Artefact.export` says what it costs on the samples given.

    Raises:
        UserError: what can't be read, said in NIR, or held by the chip; `out` exists.
    """
    request = ExportRequest(chip, steps, input_mode, weight_bits, scale_rule, input_range=input_range)
    if calibrate is not None:
        data = _labelled(calibrate, steps)
        request.calibration = CalibrationData(data.name, data.inputs)
    example, labels = example_input if isinstance(example_input, tuple) else (example_input, None)
    asked = ReadRequest(dt, steps, example, time_axis, reset, rewrite or {}, labels)
    if isinstance(model, str | Path):
        model = zoo_file(model)
    with shown_progress():
        return export_network(load_source(model, asked), target, out, request=request, force=force)


def load(folder: str | Path) -> Artefact:
    """Opens an exported folder."""
    return load_artefact(folder)


def simulate(
    network: Artefact,
    data: Samples,
    *,
    engine: str = "fast",
    limit: int | None = None,
    steps: int | None = None,
    record: bool = False,
) -> SimulationResult:
    """Runs an exported network in one engine: accuracy, predicted classes, firing rates.

    Args:
        record: keeps spikes and membranes of every layer, as `recorded`; `to_nir_data()` gives them in NIR's data form.
    """
    result = _simulate(network, data, SimulationRequest(engine, limit=limit, steps=steps, keep=record))
    assert isinstance(result, SimulationResult)
    return result


def check(
    network: Artefact, data: Samples, *, limit: int | None = None, steps: int | None = None, stress: int = 0
) -> Agreement:
    """Runs every engine at hand on the same samples, as `dalif-simulate --check all` does.

    Args:
        stress: more samples, searched to exercise what the data leaves out.

    Raises:
        CheckFailed: nothing fired, so that agreement proves nothing.
    """
    result = _simulate(network, data, SimulationRequest("fast", "all", stress, limit, steps))
    assert isinstance(result, Agreement)
    require_proof(result.coverage, str(network.folder))
    return result


def energy_report(network: Artefact, data: Samples, *, limit: int | None = None) -> EnergyReport:
    """Counts, mapping, energy and baselines over samples, with attributes named as in the JSON of `dalif-energy`.

    `to_dict()` gives what that JSON holds; a notebook shows the headline.

    A network that the chip has no room for has a report too: `mapping` says why.
    """
    loaded = _loaded(network, data, network.network.steps)
    inputs = take_samples(loaded.inputs, slice(limit))
    report, _ = report_on_samples(network, inputs, data=loaded.name, name=str(network.folder))
    return report


def _simulate(network: Artefact, data: Samples, request: SimulationRequest) -> SimulationResult | Agreement:
    loaded = _loaded(network, data, request.steps or network.steps)
    labels = None if loaded.labels is None else loaded.labels[: request.limit]
    return simulate_samples(network, take_samples(loaded.inputs, slice(request.limit)), labels, request)


def _loaded(network: Artefact, data: Samples, steps: int | None) -> LabelledData:
    if isinstance(data, str | Path) and is_nir_data(data):
        return nir_file_samples(network, data, steps=steps)
    inputs, labels = data if isinstance(data, tuple) else (data, None)
    if isinstance(inputs, nir.NIRGraphData | nir.NIRNodeData):
        arrays = nir_samples(network, inputs, steps=steps)
        return LabelledData(arrays, None if labels is None else np.asarray(labels), None, "samples given")
    return _labelled(data, steps)


def _labelled(data: Samples, steps: int | None) -> LabelledData:
    if isinstance(data, str | Path):
        return load_data(str(data), steps=steps)
    inputs, labels = data if isinstance(data, tuple) else (data, None)
    if isinstance(inputs, torch.Tensor):
        inputs = inputs.detach().cpu().numpy()
    labels = None if labels is None else np.asarray(labels)
    return LabelledData(inputs, labels, None, "samples given")
