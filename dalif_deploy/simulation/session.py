"""One run of dalif-simulate: data through an engine, chunk by chunk, with bounded memory."""

from __future__ import annotations

import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nir
import numpy as np
from rich.console import Console
from rich.progress import Progress

from dalif_deploy.converters.artefact import Artefact, load_artefact
from dalif_deploy.data import LabelledData, load_data
from dalif_deploy.data.event_recording import is_recording, load_recording
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.hw_models.files.ownership import MARK
from dalif_deploy.hw_models.samples.input_data import InputData, sample_count, take_samples
from dalif_deploy.simulation.agreement import run_agreement
from dalif_deploy.simulation.comparison import Comparison
from dalif_deploy.simulation.data_fit import require_fit
from dalif_deploy.simulation.engines import ENGINES, Engine, EngineRun, make_engine


@dataclass
class SimulationRequest:
    """What the user asked for beside the folder and the data."""

    engine: str = "fast"
    check: Literal["counterpart", "all"] | None = None
    limit: int | None = None
    steps: int | None = None
    record: Path | None = None
    data_root: str | None = None
    window_ms: float = 300.0  # of a recording: a sample of N-MNIST, and of the simulated motion after it
    step_limit: float = 60.0
    total_limit: float = 3600.0
    workers: int = 1
    force: bool = False


def run_simulation(folder: str | Path, data_spec: str, request: SimulationRequest) -> dict[str, Any]:
    """Runs the engine, and its counterpart where a check is asked for.

    Returns:
        Plain figures: accuracy (None without labels; `predicted` then has the class of each sample), mean firing rate a
        layer (spikes a neuron and step), seconds, and the result of the check. With check "all", what
        `run_agreement` returns.
    """
    artefact = load_artefact(folder)
    loaded = _load(artefact, data_spec, request)
    inputs = take_samples(loaded.inputs, slice(request.limit))
    labels = None if loaded.labels is None else loaded.labels[: request.limit]
    return {"data": loaded.name, **simulate_samples(artefact, inputs, labels, request)}


def simulate_samples(
    artefact: Artefact,
    inputs: InputData,
    labels: np.ndarray | None,
    request: SimulationRequest,
    *,
    show_progress: bool = True,
) -> dict[str, Any]:
    """As `run_simulation`, on samples at hand; with check "all" also `agreement`, see `run_agreement`."""
    integers = request.check == "all" or getattr(ENGINES.get(request.engine), "arithmetic", "") == "integer"
    require_fit(artefact, inputs, labels, steps=request.steps, integers=integers)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not (show_progress and console.is_terminal)) as progress:
        if request.check == "all":
            bar = progress.add_task("engines", total=None)
            return run_agreement(
                artefact,
                inputs,
                labels,
                options=lambda name: _options(name, request, progress),
                progress=lambda name, done: progress.update(bar, advance=done, description=name),
            )
        engine = _engine(request.engine, artefact, inputs, request, progress)
        other = _engine(engine.counterpart, artefact, inputs, request, progress) if request.check else None
        return _run(engine, other, inputs, labels, request, progress)


def _load(artefact: Artefact, data_spec: str, request: SimulationRequest) -> LabelledData:
    steps = request.steps or artefact.steps
    if not is_recording(data_spec):
        return load_data(data_spec, request.data_root, steps=steps)
    shapes = list(_input_shapes(artefact))
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] != 2 or steps is None:
        raise UserError(
            "a recording is for a network with steps and one input of 2 polarities",
            where=str(artefact.folder),
            remedy="train on frames of events, for example --dataset fashion-motion",
        )
    height, width = shapes[0][1:]
    return load_recording(data_spec, size=(width, height), steps=steps, window_ms=request.window_ms)


def _input_shapes(artefact: Artefact) -> list[tuple[int, ...]]:
    nodes = artefact.reference.nodes.values()
    return [tuple(map(int, node.output_type["output"])) for node in nodes if isinstance(node, nir.Input)]


def _engine(name: str, artefact: Artefact, inputs: InputData, request: SimulationRequest, progress: Progress) -> Engine:
    return make_engine(name, artefact, inputs, **_options(name, request, progress))


def _options(name: str, request: SimulationRequest, progress: Progress) -> dict[str, Any]:
    if name != "lava":
        return {"steps": request.steps}
    bar = progress.add_task("lava, steps", total=None)
    return {
        "steps": request.steps,
        "step_limit": request.step_limit,
        "total_limit": request.total_limit,
        "workers": request.workers,
        "progress": lambda done, total: progress.update(bar, completed=done, total=total),
    }


def _run(
    engine: Engine,
    other: Engine | None,
    inputs: InputData,
    labels: np.ndarray | None,
    request: SimulationRequest,
    progress: Progress,
) -> dict[str, Any]:
    record = ("spikes", "membrane") if other is not None or request.record is not None else ("spikes",)
    samples_given = sample_count(inputs)
    size = max(1, engine.chunk_size(samples_given))
    if other is not None:
        size = (
            min(size, max(1, other.chunk_size(samples_given)))
            if "lava" not in (engine.name, other.name)
            else samples_given
        )
    comparison = Comparison()
    scores, rates, kept = [], _Rates(), []
    seconds = {engine.name: 0.0}
    bar = progress.add_task(f"{engine.name}, samples", total=samples_given)
    for start in range(0, samples_given, size):
        samples = slice(start, min(start + size, samples_given))
        run = _timed(engine, samples, record, seconds)
        scores.append(_scores(run))
        rates.add(run)
        if request.record is not None:
            kept.append(run)
        if other is not None:
            against = _timed(other, samples, record, seconds)
            comparison.add(start, run, against, (engine.name, other.name), engine.compares)
        progress.update(bar, completed=samples.stop)
    if request.record is not None:
        _write_record(request.record, kept, request.force)
    predicted = None if scores[0] is None else np.concatenate(scores).argmax(axis=1)
    return {
        "engine": engine.name,
        "samples": samples_given,
        "accuracy": None if labels is None or predicted is None else float((predicted == labels).mean()),
        "predicted": None if labels is not None or predicted is None else predicted.tolist(),
        "firing_rate": rates.mean(),
        "seconds": seconds,
        "check": None
        if other is None
        else {
            "against": other.name,
            "compared": comparison.compared,
            "mismatches": comparison.total_mismatches,
            "mismatches_by_layer": comparison.mismatches,
            "first": comparison.first,
        },
    }


def _scores(run: EngineRun) -> np.ndarray | None:
    """[N, classes], None where several outputs leave open which one labels mean."""
    if len(run.outputs) != 1:
        return None
    (output,) = run.outputs.values()
    return output.reshape(len(output), -1)


def _timed(engine: Engine, samples: slice, record: tuple[str, ...], seconds: dict[str, float]) -> EngineRun:
    began = time.perf_counter()
    run = engine.run(samples, record)
    seconds[engine.name] = seconds.get(engine.name, 0.0) + time.perf_counter() - began
    return run


class _Rates:
    def __init__(self):
        self.spikes: dict[str, int] = {}
        self.chances: dict[str, int] = {}

    def add(self, run: EngineRun) -> None:
        for layer, spikes in run.spikes.items():
            self.spikes[layer] = self.spikes.get(layer, 0) + int(spikes.sum(dtype=np.int64))
            self.chances[layer] = self.chances.get(layer, 0) + spikes.size

    def mean(self) -> dict[str, float]:
        return {layer: self.spikes[layer] / max(1, self.chances[layer]) for layer in self.spikes}


def _write_record(path: Path, runs: list[EngineRun], force: bool) -> None:
    arrays = {}
    for kind in ("spikes", "membrane"):
        for layer in getattr(runs[0], kind):
            arrays[f"{layer}.{kind}"] = np.concatenate([getattr(run, kind)[layer] for run in runs])
    # the temporary file keeps the target's ending; numpy adds .npz to a name but not to an open file
    with atomic_file(path, force=force) as temporary, open(temporary, "w+b") as file:
        np.savez_compressed(file, **arrays)
        with zipfile.ZipFile(file, "a") as archive:
            archive.comment = MARK.encode()
