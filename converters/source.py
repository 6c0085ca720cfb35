"""What can be exported: a checkpoint of ours or a NIR graph of anybody, brought to one form."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import nir

from dalif_deploy.hw_models.chip_network.check import MOST_STEPS
from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.neuron_dynamics import DT_DEFAULT

from .nir_file import graph_metadata, read_nir, write_nir
from .reset import reset_origin, with_reset


@dataclass
class Source:
    """A network to export.

    Attributes:
        graph: NIR, float.
        dt: time step in seconds; `dt_from` says where it was found.
        steps: steps a sample, None if the source does not say.
        input_step: value of one integer level of the data, None if unknown.
        input_highest: largest value of the data.
        trained_for: `quantize` (a chip), `weight_bits` and `scale_group` of hardware-aware training; empty without it.
        checkpoint: True if `path` is a checkpoint of dalif-train.
        reset_from: "trained", "given", "graph", or "assumed" where the graph does not say how its neurons reset.
        network: integers that are there already (a .net file); None where the graph has to be compiled.
    """

    path: Path
    graph: nir.NIRGraph
    dt: float
    dt_from: str
    steps: int | None
    input_step: float | None
    checkpoint: bool
    sha256: str
    input_highest: float = 1.0
    trained_for: dict[str, Any] = field(default_factory=dict)
    network: ChipNetwork | None = None
    reset_from: str = "trained"


def load_source(path: str | Path, *, dt: float | None = None, reset: str | None = None) -> Source:
    """Reads `path` and lowers a checkpoint to NIR.

    Args:
        dt: overrides the graph's own time step (seconds).
        reset: "zero" or "subtract", where the graph does not say what a spike does to the membrane.

    Raises:
        UserError: missing, damaged or foreign file; a dt that is not positive; a reset that is not the network's.
    """
    return with_reset(_load(path, dt), reset)


def _load(path: str | Path, dt: float | None) -> Source:
    path = Path(path)
    if dt is not None and not dt > 0:
        raise UserError(f"dt must be above 0, got {dt}", remedy="give seconds, for example --dt 1e-4")
    if path.is_dir():
        raise UserError("is a folder", where=str(path), remedy="give a model.pt, a .nir or a .net file")
    if not path.exists():
        raise UserError("no such file", where=str(path), remedy="check the path")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"can't be read ({error.strerror})", where=str(path), remedy="check its permissions") from error
    if path.suffix.lower() == ".net":
        return _net_source(path, dt, digest)
    if h5py.is_hdf5(path) or path.suffix.lower() in (".nir", ".h5", ".hdf5"):
        return _nir_source(path, dt, digest)
    return _checkpoint_source(path, dt, digest)


def source_of_graph(graph: nir.NIRGraph, *, dt: float | None = None, reset: str | None = None) -> Source:
    """A NIR graph in memory; it is written and read once, so that it is checked as a file is.

    Raises:
        UserError: what no file could hold.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.nir"
        write_nir(path, graph)
        return load_source(path, dt=dt, reset=reset)


def _nir_source(path: Path, dt: float | None, digest: str) -> Source:
    graph = read_nir(path)
    stated, steps, step, highest = (graph_metadata(graph, k) for k in ("dt", "steps", "input_step", "input_highest"))
    try:
        stated = None if stated is None else float(stated)
        steps = None if steps is None else int(steps)
        step = None if step is None else float(step)
        highest = 1.0 if highest is None else float(highest)
        if not 0 < highest < float("inf"):
            raise ValueError(f"input_highest {highest}")
        if steps is not None and not 1 <= steps <= MOST_STEPS:
            raise ValueError(f"steps {steps}")
        if not all(value is None or 0 < value < float("inf") for value in (stated, step)):
            raise ValueError(f"dt {stated}, input_step {step}")
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"metadata is not a number ({error})",
            where=str(path),
            remedy="repair dt, steps, input_step and input_highest",
        ) from error
    origin = "given" if dt is not None else "graph" if stated is not None else "assumed"
    return Source(
        path,
        graph,
        dt or stated or DT_DEFAULT,
        origin,
        steps,
        step,
        False,
        digest,
        highest,
        reset_from=reset_origin(graph),
    )


def _net_source(path: Path, dt: float | None, digest: str) -> Source:
    from .netx.read import read_net
    from .netx.to_nir import integers_to_nir

    network = read_net(path)
    graph = integers_to_nir(network, dt or DT_DEFAULT)
    origin = "given" if dt is not None else "chosen (the file has steps, not seconds)"
    return Source(path, graph, dt or DT_DEFAULT, origin, None, None, False, digest, network=network)


def _checkpoint_source(path: Path, dt: float | None, digest: str) -> Source:
    from dalif_deploy.networks.checkpoint import load_checkpoint

    from .dalif_to_nir import network_to_nir

    checkpoint = load_checkpoint(path)
    step, highest = checkpoint.info.get("input_step"), checkpoint.info.get("input_highest", 1.0)
    if not isinstance(highest, float) or not 0 < highest < float("inf"):
        raise UserError("unusable info: input_highest", where=str(path), remedy="write one with dalif-train")
    graph = network_to_nir(
        checkpoint.network,
        dt=dt or DT_DEFAULT,
        input_step=step,
        input_highest=highest,
        dataset=checkpoint.info.get("dataset"),
    )
    origin = "given" if dt is not None else "chosen (the trained network has steps, not seconds)"
    steps, config = int(checkpoint.network.steps), checkpoint.info.get("config")
    trained_for = {}
    if isinstance(config, dict) and config.get("quantize"):
        trained_for = {key: config.get(key) for key in ("quantize", "weight_bits", "scale_group")}
    return Source(path, graph, dt or DT_DEFAULT, origin, steps, step, True, digest, highest, trained_for)
