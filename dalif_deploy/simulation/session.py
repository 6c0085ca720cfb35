"""One run of dalif-simulate: a folder, data, and what was asked of them."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import nir
import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.data import LabelledData, load_data
from dalif_deploy.data.event_recording import is_recording, load_recording
from dalif_deploy.data.nir_data_file import is_nir_data, write_nir_data
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.hw_models.files.ownership import MARK
from dalif_deploy.hw_models.progress import told
from dalif_deploy.hw_models.progress_bars import shown_progress
from dalif_deploy.hw_models.samples.input_data import InputData, sample_count, take_samples
from dalif_deploy.sharding.cluster import open_cluster
from dalif_deploy.simulation.agreement import Agreement, run_agreement
from dalif_deploy.simulation.data_fit import require_fit, warn_if_silent
from dalif_deploy.simulation.engines import ENGINES, Engine, EngineRun, check_options, make_engine
from dalif_deploy.simulation.nir_samples import nir_file_samples
from dalif_deploy.simulation.one_engine import SimulationResult, run_engine
from dalif_deploy.simulation.shards import ShardedEngine
from dalif_deploy.simulation.stress import stress_data

STAYS = "fast"  # the engine that never goes to a cluster: what others saw is compared with it, here


@dataclass
class SimulationRequest:
    """What the user asked for beside the folder and the data.

    Attributes:
        engine: in `ENGINES`.
        check: against the engine's counterpart, or all engines against each other.
        stress: samples that a check takes in addition, see `dalif_deploy.hw_models.stress`.
        record: file that spikes and membranes of every layer go to: .npz, or .h5 for NIR's data form.
        keep: keeps them in the result, written or not.
        options: of engines, by name; each engine takes its own, see `engine_options`.
        cluster: `local:N` or a scheduler's address: where every engine but "fast" runs, see
            `dalif_deploy.sharding.cluster`.
        window_ms: of a recording: a sample of N-MNIST, and of the simulated motion after it.
    """

    engine: str = "fast"
    check: Literal["counterpart", "all"] | None = None
    stress: int = 0
    limit: int | None = None
    steps: int | None = None
    record: Path | None = None
    keep: bool = False
    data_root: str | None = None
    window_ms: float = 300.0
    options: dict[str, object] = field(default_factory=dict)
    force: bool = False
    cluster: str | None = None


def run_simulation(
    artefact: Artefact, data_spec: str, request: SimulationRequest
) -> tuple[str, SimulationResult | Agreement]:
    """Runs the engine, and its counterpart where a check is asked for; with check "all", every engine.

    Returns:
        The data's name, and what was found.
    """
    loaded = _load(artefact, data_spec, request)
    inputs = take_samples(loaded.inputs, slice(request.limit))
    labels = None if loaded.labels is None else loaded.labels[: request.limit]
    return loaded.name, simulate_samples(artefact, inputs, labels, request)


def simulate_samples(
    artefact: Artefact,
    inputs: InputData,
    labels: np.ndarray | None,
    request: SimulationRequest,
) -> SimulationResult | Agreement:
    """As `run_simulation`, on samples at hand."""
    check_options(request.options)
    if request.cluster is not None and request.engine == STAYS and not request.check:
        what = f"--engine {STAYS} is quick and runs on this machine"
        raise UserError(what, remedy="--cluster is for the other engines, and for --check")
    if request.stress and not request.check:
        raise UserError("--stress adds samples to a check", remedy="add --check or --check all")
    integers = request.check == "all" or getattr(ENGINES.get(request.engine), "arithmetic", "") == "integer"
    require_fit(artefact, inputs, labels, steps=request.steps, integers=integers)
    with ExitStack() as stack:
        stack.enter_context(shown_progress())
        stress = stress_data(artefact, request.stress, request.steps) if request.stress else None
        cluster = None if request.cluster is None else stack.enter_context(open_cluster(request.cluster))

        def make(name: str, data: InputData) -> Engine:
            def steps(done: int, total: int) -> None:
                told(f"{name}, steps", done, total)

            engine = make_engine(name, artefact, data, steps=request.steps, options=request.options, progress=steps)
            return engine if cluster is None or name == STAYS else ShardedEngine(engine, cluster)

        if request.check == "all":
            return run_agreement(
                artefact,
                inputs,
                labels,
                make=make,
                stress=stress,
                progress=lambda done, total: told("engines, samples", done, total),
            )
        engine = make(request.engine, inputs)
        other = make(engine.counterpart, inputs) if request.check else None
        pair = None
        if stress is not None and other is not None:
            pair = make(engine.name, stress), make(other.name, stress)
        result = run_engine(
            engine,
            other,
            labels,
            stress=pair,
            keep=request.keep or request.record is not None,
            dt=artefact.dt,
            progress=lambda done: told(f"{engine.name}, samples", done, sample_count(inputs)),
        )
    if not request.check:  # which says it itself
        warn_if_silent(any(result.firing_rate.values()) or not result.firing_rate, artefact.folder)
    if request.record is not None and result.recorded is not None:
        if is_nir_data(request.record):
            write_nir_data(request.record, result.to_nir_data(), force=request.force)
        else:
            _write_record(request.record, result.recorded, request.force)
    return result


def _load(artefact: Artefact, data_spec: str, request: SimulationRequest) -> LabelledData:
    if is_nir_data(data_spec):
        return nir_file_samples(artefact, data_spec, steps=request.steps)
    steps = request.steps or artefact.steps
    if not is_recording(data_spec):
        return load_data(data_spec, request.data_root, steps=steps)
    shapes = list(_input_shapes(artefact))
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] != 2 or steps is None:
        raise UserError(
            "a recording needs a network with a number of steps and one input of 2 polarities",
            where=str(artefact.folder),
            remedy="train on frames of events, for example --dataset fashion-motion",
        )
    height, width = shapes[0][1:]
    return load_recording(data_spec, size=(width, height), steps=steps, window_ms=request.window_ms)


def _input_shapes(artefact: Artefact) -> list[tuple[int, ...]]:
    nodes = artefact.reference.nodes.values()
    return [tuple(map(int, node.output_type["output"])) for node in nodes if isinstance(node, nir.Input)]


def _write_record(path: Path, run: EngineRun, force: bool) -> None:
    arrays = {}
    for kind in ("spikes", "membrane"):
        for layer, values in getattr(run, kind).items():
            arrays[f"{layer}.{kind}"] = values
    # the temporary file keeps the target's ending; numpy adds .npz to a name but not to an open file
    with atomic_file(path, force=force) as temporary, open(temporary, "w+b") as file:
        np.savez_compressed(file, **arrays)
        with zipfile.ZipFile(file, "a") as archive:
            archive.comment = MARK.encode()
