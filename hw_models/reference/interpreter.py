"""Float interpreter of a NIR graph. Update rule: forward Euler, see `hw_models.graph.neuron_dynamics`.

Within one step, data flows through all nodes in order; an edge that closes a loop hands over the value of the step
before. Fires where the membrane is strictly above the threshold, as NIR says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import nir
import numpy as np
import torch
import torch.nn.functional as F

from hw_models.errors import UserError
from hw_models.graph.conv_geometry import pool_geometry, read_geometry
from hw_models.graph.flat_graph import NEURONS, SPIKING, FlatGraph, flatten_graph
from hw_models.graph.neuron_dynamics import neuron_dynamics
from hw_models.linear_operator import apply_weight

BATCH = 256


@dataclass
class FloatRecording:
    """What the reference saw.

    Attributes:
        spikes: spiking node -> uint8 [N, T, *shape].
        membrane: neuron node -> float64 [N, T, *shape], after the reset of that step.
        outputs: Output node -> float64 [N, T, *shape], the value that arrives there at each step.
    """

    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    membrane: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)


def run_reference(
    graph: nir.NIRGraph | FlatGraph,
    data: np.ndarray,
    *,
    dt: float,
    steps: int | None = None,
    record: tuple[str, ...] = ("spikes", "membrane"),
    dtype: torch.dtype = torch.float64,
) -> FloatRecording:
    """Steps the graph over a batch of samples.

    Args:
        data: [N, *shape], the same at each of `steps` steps, or [N, T, *shape].
        dt: time step in seconds.
        dtype: float64 by default, so that rounding does not decide spikes.
    """
    flat = graph if isinstance(graph, FlatGraph) else flatten_graph(graph)
    source = single_input(flat)
    shape = flat.shapes[source]
    data = np.asarray(data)
    moving = data.ndim == len(shape) + 2
    if (data.shape[2:] if moving else data.shape[1:]) != shape:
        raise UserError(
            f"data of shape {list(data.shape)} does not fit {list(shape)}",
            where=source,
            remedy="check the data",
        )
    if not moving and steps is None:
        raise UserError("static data needs a number of steps", where=source, remedy="give --steps")
    parts = [
        _run_batch(flat, source, torch.from_numpy(data[i : i + BATCH]).to(dtype), moving, steps, dt, record)
        for i in range(0, len(data), BATCH)
    ]
    join = lambda key: {n: np.concatenate([getattr(p, key)[n] for p in parts]) for n in getattr(parts[0], key)}  # noqa: E731
    return FloatRecording(join("spikes"), join("membrane"), join("outputs"))


def single_input(flat: FlatGraph) -> str:
    """Name of the graph's only input.

    Raises:
        UserError: there are several.
    """
    if len(flat.inputs) != 1:
        raise UserError(
            f"the graph has {len(flat.inputs)} inputs, the data has one", remedy="use a graph with one input"
        )
    return flat.inputs[0]


def _run_batch(
    flat: FlatGraph,
    source: str,
    data: torch.Tensor,
    moving: bool,
    steps: int | None,
    dt: float,
    record: tuple[str, ...],
) -> FloatRecording:
    steps = data.shape[1] if moving else steps
    order = flat.order()
    cells = {
        n: _NeuronCell(n, flat.nodes[n], flat.shapes[n], dt, data) for n in order if isinstance(flat.nodes[n], NEURONS)
    }
    maps = {n: _linear_map(n, flat, dt, data.dtype) for n in order if n not in cells}
    before = {edge: torch.zeros(len(data), *flat.shapes[edge[0]], dtype=data.dtype) for edge in flat.back_edges}
    spikes = {n: [] for n in cells if isinstance(flat.nodes[n], SPIKING) and "spikes" in record}
    membrane = {n: [] for n in cells if "membrane" in record}
    outputs = {n: [] for n in flat.outputs}
    with torch.no_grad():
        for t in range(steps):
            value: dict[str, torch.Tensor] = {}
            for name in order:
                if name == source:
                    value[name] = data[:, t] if moving else data
                    continue
                arriving = [
                    before[(a, name)] if (a, name) in flat.back_edges else value[a] for a in flat.predecessors(name)
                ]
                total = sum(arriving[1:], arriving[0])
                value[name] = cells[name].step(total) if name in cells else maps[name](total)
                if name in spikes:
                    spikes[name].append(value[name].to(torch.uint8))
                if name in membrane:
                    membrane[name].append(cells[name].v.clone())
                if name in outputs:
                    outputs[name].append(value[name])
            before = {edge: value[edge[0]] for edge in before}

    def stacked(parts: dict[str, list[torch.Tensor]]) -> dict[str, np.ndarray]:
        return {name: torch.stack(each, 1).numpy() for name, each in parts.items()}

    return FloatRecording(stacked(spikes), stacked(membrane), stacked(outputs))


class _NeuronCell:
    def __init__(self, name: str, node: nir.NIRNode, shape: tuple[int, ...], dt: float, like: torch.Tensor):
        self.dynamics = d = neuron_dynamics(name, node, dt)
        tensor = lambda a: None if a is None else torch.as_tensor(a, dtype=like.dtype)  # noqa: E731
        self.beta, self.gain, self.offset = tensor(d.beta), tensor(d.gain), tensor(d.offset)
        self.syn_beta, self.syn_gain = tensor(d.syn_beta), tensor(d.syn_gain)
        self.threshold, self.reset_value = tensor(d.threshold), tensor(d.reset_value)
        self.v = torch.zeros(len(like), *shape, dtype=like.dtype) + self.reset_value
        self.i = torch.zeros_like(self.v)

    def step(self, x: torch.Tensor) -> torch.Tensor:
        if self.syn_beta is not None:
            self.i = self.syn_beta * self.i + self.syn_gain * x
            x = self.i
        self.v = self.beta * self.v + self.gain * x + self.offset
        if self.threshold is None:
            return self.v
        fired = self.v > self.threshold
        if self.dynamics.reset == "subtract":
            self.v = self.v - fired * self.threshold
        else:
            self.v = torch.where(fired, self.reset_value, self.v)
        return fired.to(x.dtype)


def _linear_map(name: str, flat: FlatGraph, dt: float, dtype: torch.dtype):
    node, shape = flat.nodes[name], flat.shapes[name]
    if isinstance(node, nir.Input | nir.Output):
        return lambda x: x
    if isinstance(node, nir.Flatten):
        return lambda x: x.reshape(len(x), *shape)
    if isinstance(node, nir.Scale):
        scale = torch.as_tensor(node.scale, dtype=dtype)
        return lambda x: x * scale
    if isinstance(node, nir.Delay):
        return _DelayLine(name, node, dt)
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        kernel, geometry = pool_geometry(node, shape[0])
        factor = 1 if isinstance(node, nir.AvgPool2d) else kernel[0] * kernel[1]
        return lambda x: F.avg_pool2d(x, kernel, geometry.stride, geometry.padding) * factor
    weight = torch.as_tensor(node.weight, dtype=dtype)
    bias = torch.as_tensor(node.bias, dtype=dtype) if getattr(node, "bias", None) is not None else None
    geometry = read_geometry(name, node) if isinstance(node, nir.Conv1d | nir.Conv2d) else None
    return lambda x: apply_weight(x, weight, geometry, bias)


def delay_steps(name: str, node: nir.Delay, dt: float) -> int:
    """Steps that a NIR Delay (seconds) takes at `dt`.

    Raises:
        UserError: neurons of one node with different delays.
    """
    steps = np.unique(np.rint(np.asarray(node.delay, dtype=np.float64) / dt).astype(np.int64))
    if len(steps) != 1 or steps[0] < 0:
        raise UserError(
            "delays that differ within one Delay node", where=name, remedy="use one Delay node for each delay"
        )
    return int(steps[0])


class _DelayLine:
    def __init__(self, name: str, node: nir.Delay, dt: float):
        self.line: list[torch.Tensor] = []
        self.steps = delay_steps(name, node, dt)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.line.append(x)
        return self.line.pop(0) if len(self.line) > self.steps else torch.zeros_like(x)
