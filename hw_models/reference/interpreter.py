"""Float interpreter of a NIR graph. What a neuron does in a step, its own file in `hw_models/neurons` says.

Within one step, data flows through all nodes in order; an edge that closes a loop hands over the value of the step
before. Fires where the membrane is strictly above the threshold, as NIR says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import nir
import numpy as np
import torch

from ..errors import UserError
from ..graph.flat_graph import FlatGraph, flatten_graph
from ..graph.graph_step import GraphStep
from ..neurons import NEURONS
from ..progress import told
from ..samples.input_data import InputData, by_input, sample_count, steps_of
from .linear_map import linear_map

BATCH = 256


@dataclass
class FloatRecording:
    """What the reference saw.

    Attributes:
        spikes: spiking node -> uint8 [N, T, *shape].
        membrane: neuron node -> float64 [N, T, *shape], after the reset of that step.
        current: neuron node -> float64 [N, T, *shape], what its input adds to the membrane at that step.
        outputs: Output node -> float64 [N, T, *shape], the value that arrives there at each step.
    """

    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    membrane: dict[str, np.ndarray] = field(default_factory=dict)
    current: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)


def run_reference(
    graph: nir.NIRGraph | FlatGraph,
    data: InputData,
    *,
    dt: float,
    steps: int | None = None,
    record: tuple[str, ...] = ("spikes", "membrane"),
    dtype: torch.dtype = torch.float64,
) -> FloatRecording:
    """Steps the graph over a batch of samples.

    Args:
        data: [N, *shape], the same at each of `steps` steps, or [N, T, *shape]; one array, or one for each input by
            its name.
        dt: time step in seconds.
        record: any of "spikes", "membrane" and "current"; outputs are always there.
        dtype: float64 by default, so that rounding does not decide spikes.
    """
    flat = graph if isinstance(graph, FlatGraph) else flatten_graph(graph)
    checked = by_input(data, {name: flat.shapes[name] for name in flat.inputs})
    steps = steps_of(checked) or steps
    if steps is None:
        raise UserError("static data needs a number of steps", remedy="give --steps")
    starts = range(0, max(1, sample_count(data)), BATCH)
    parts: list[FloatRecording] = []
    for start in starts:
        part = {
            name: (torch.from_numpy(array[start : start + BATCH]).to(dtype), moving)
            for name, (array, moving) in checked.items()
        }
        parts.append(_run_batch(flat, part, steps, dt, record, (len(parts), len(starts))))

    def joined(key: str) -> dict[str, np.ndarray]:
        return {name: np.concatenate([getattr(part, key)[name] for part in parts]) for name in getattr(parts[0], key)}

    return FloatRecording(joined("spikes"), joined("membrane"), joined("current"), joined("outputs"))


def _run_batch(
    flat: FlatGraph,
    data: dict[str, tuple[torch.Tensor, bool]],
    steps: int,
    dt: float,
    record: tuple[str, ...],
    batch: tuple[int, int],
) -> FloatRecording:
    """`batch`: its number, of so many."""
    like = next(iter(data.values()))[0]
    graph_step = GraphStep(flat, lambda source: torch.zeros(len(like), *flat.shapes[source], dtype=like.dtype))
    cells = {
        n: NEURONS[type(flat.nodes[n])].cell(n, flat.nodes[n], flat.shapes[n], dt, like)
        for n in graph_step.order
        if flat.is_neuron(n)
    }
    maps = {n: linear_map(n, flat, dt, like.dtype) for n in graph_step.order if n not in cells}
    spikes: dict[str, list[torch.Tensor]] = {n: [] for n in flat.spiking if "spikes" in record}
    membrane: dict[str, list[torch.Tensor]] = {n: [] for n in cells if "membrane" in record}
    current: dict[str, list[torch.Tensor]] = {n: [] for n in cells if "current" in record}
    outputs: dict[str, list[torch.Tensor]] = {n: [] for n in flat.outputs}

    def compute(name: str, total: torch.Tensor) -> torch.Tensor:
        return cells[name].step(total) if name in cells else maps[name](total)

    with torch.no_grad():
        for t in range(steps):
            inputs = {name: samples[:, t] if moving else samples for name, (samples, moving) in data.items()}
            value = graph_step(inputs, compute)
            for name in spikes:
                spikes[name].append(value[name].to(torch.uint8))
            for name in membrane:
                membrane[name].append(cells[name].v.clone())
            for name in current:
                current[name].append(cells[name].current)
            for name in outputs:
                outputs[name].append(value[name])
            told("float reference, steps of batches", batch[0] * steps + t + 1, batch[1] * steps)

    def stacked(parts: dict[str, list[torch.Tensor]]) -> dict[str, np.ndarray]:
        return {name: torch.stack(each, 1).numpy() for name, each in parts.items()}

    return FloatRecording(stacked(spikes), stacked(membrane), stacked(current), stacked(outputs))
