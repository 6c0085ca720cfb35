"""A network to export: the one form that every source is brought to, and the way there for a NIR graph."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dalif_deploy.hw_models.errors import UserError

if TYPE_CHECKING:
    import nir

    from dalif_deploy.hw_models.chip_network.form import ChipNetwork


@dataclass
class Source:
    """A network to export.

    Attributes:
        path: the file, for messages and export.json; a name where there is no file.
        graph: NIR, float.
        dt: time step in seconds; `dt_from` says where it was found.
        steps: steps per sample, None if the source does not say.
        input_step: value of one integer level of the data, None if unknown.
        checkpoint: True if `path` is a checkpoint of dalif-train.
        sha256: of the file's bytes, or of what stands for them.
        input_highest, input_lowest: largest and smallest value of the data.
        trained_for: `quantize` (a chip), `weight_bits` and `scale_group` of hardware-aware training; empty without it.
        reset_from: "trained", "given", "graph", or "assumed" where the graph does not say how its neurons reset.
        network: integers that are there already (a .net file); None where the graph has to be compiled.
        rewrite_cost: of a module that was rewritten: a `capture.rewrite_cost.RewriteCost`.
        verification: of a module: what was compared with it, a `capture.verification.Verification`.
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
    verification: Any = None
    reset_from: str = "trained"
    input_lowest: float = 0.0
    rewrite_cost: Any = None


def source_of_nir(path: Path, digest: str, *, dt: float | None = None) -> Source:
    """A NIR file, with what its metadata say of time and data.

    Args:
        path: the file.
        digest: SHA-256 of its bytes, in hexadecimal.
        dt: overrides the graph's own time step (seconds).

    Raises:
        UserError: not a NIR file; metadata that are no numbers, or impossible ones.
    """
    from dalif_deploy.hw_models.chip_network.check import MOST_STEPS
    from dalif_deploy.hw_models.neurons.recurrence import DT_DEFAULT

    from .nir_file import graph_metadata, read_nir
    from .reset import reset_origin

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


def source_of_graph(graph: nir.NIRGraph, *, dt: float | None = None) -> Source:
    """A NIR graph in memory; it is written and read once, so that it is checked as a file is.

    Args:
        graph: of the LIF family.
        dt: overrides the graph's own time step (seconds).

    Raises:
        UserError: what no file could hold.
    """
    from .file_digest import file_digest
    from .nir_file import write_nir

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.nir"
        write_nir(path, graph)
        return source_of_nir(path, file_digest(path), dt=dt)
