"""NIR's data form (`nir.data_ir`) as arrays, and what an engine recorded in NIR's data form.

NIR's classes hold [samples, steps, neurons] on a grid of time, or lists of events. A population of several axes is
flattened in row-major order, channels first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

import nir
import numpy as np

from dalif_deploy.hw_models.errors import UserError

NirData: TypeAlias = nir.NIRGraphData | nir.NIRNodeData
ON_A_STEP = 1e-6  # of a step: what the rounding of a time to a float may move it by


def nir_arrays(
    data: NirData, shapes: Mapping[str, tuple[int, ...]], dt: float, *, most_steps: int | None = None
) -> dict[str, np.ndarray]:
    """Samples for a network's inputs: input -> float32 [N, T, *shape].

    Events are counted in the step that they fall into; events with values are summed there. nir's own conversion keeps
    one event, or the last value, of a neuron and step.

    Args:
        data: of a graph, with an entry for each input of the network; what it holds of other nodes is not looked at.
            Of a node alone, for a network with one input.
        shapes: input -> shape.
        dt: the network's time step in seconds.
        most_steps: that the network can run; None if there is no end.

    Raises:
        UserError: an input without data or with several observables, another time step, too many steps, another number
            of neurons, events of neurons or at times that there are not, values that are no finite numbers.
    """
    if isinstance(data, nir.NIRNodeData):
        if len(shapes) != 1:
            what = f"the data is of one node, the network has {len(shapes)} inputs ({', '.join(shapes)})"
            raise UserError(what, remedy="give a NIRGraphData with a node for each input")
        nodes: dict[str, NirData] = dict.fromkeys(shapes, data)
    else:
        nodes = data.nodes
    missing = [name for name in shapes if name not in nodes]
    if missing:
        held = ", ".join(nodes) or "nothing"
        raise UserError(
            f"no data for input {missing[0]!r}, only for {held}", remedy="name the node as the network's input"
        )
    return {name: _samples(name, nodes[name], shape, dt, most_steps) for name, shape in shapes.items()}


def recorded_nir_data(
    spikes: Mapping[str, np.ndarray], membrane: Mapping[str, np.ndarray], dt: float
) -> nir.NIRGraphData:
    """What was recorded, a node a layer, with the observables "spikes" (bool) and "membrane".

    Args:
        spikes: layer -> 0/1 [N, T, *shape].
        membrane: layer -> [N, T, *shape]; integers where the engine computes with the chip's.
        dt: time step in seconds.
    """
    nodes: dict[str, nir.NIRNodeData] = {}
    for kind, layers in (("spikes", spikes), ("membrane", membrane)):
        for layer, values in layers.items():
            flat = values.reshape(*values.shape[:2], -1)
            node = nodes.setdefault(layer, nir.NIRNodeData({}))
            node.observables[kind] = nir.TimeGriddedData(flat.astype(bool) if kind == "spikes" else flat, dt)
    return nir.NIRGraphData(nodes)


def _samples(name: str, node: NirData, shape: tuple[int, ...], dt: float, most_steps: int | None) -> np.ndarray:
    if not isinstance(node, nir.NIRNodeData):
        raise UserError("the data is of a graph, not of an input", where=name, remedy="give a NIRNodeData")
    if len(node.observables) != 1:
        held = ", ".join(node.observables) or "none"
        raise UserError(
            f"{len(node.observables)} observables ({held})", where=name, remedy="give each input exactly one"
        )
    (observable,) = node.observables.values()
    wanted = math.prod(shape)
    if observable.n_neurons != wanted:
        raise UserError(
            f"the data has {observable.n_neurons} neurons, the input {wanted} {list(shape)}",
            where=name,
            remedy="give the data of this network's input",
        )
    is_events = isinstance(observable, nir.EventData)
    if not 0 < observable.t_max < math.inf:
        raise UserError(f"data of {observable.t_max:g} s", where=name, remedy="give a time above 0")
    steps = math.ceil(observable.t_max / dt - ON_A_STEP) if is_events else observable.n_time_steps
    if most_steps is not None and steps > most_steps:
        raise UserError(
            f"the data has {steps} steps, but the network was exported for {most_steps}",
            where=name,
            remedy=f"export it again with --steps {steps}",
        )
    grid = _on_grid(name, observable, dt, steps) if is_events else _grid(name, observable, dt)
    if not grid.size:
        raise UserError(
            f"the data is empty, {list(grid.shape)}", where=name, remedy="give at least a sample and a step"
        )
    if not np.isfinite(grid).all():
        raise UserError("the data holds NaN or infinity", where=name, remedy="repair the data")
    return grid.reshape(*grid.shape[:2], *shape)


def _grid(name: str, observable: nir.TimeGriddedData, dt: float) -> np.ndarray:
    if not math.isclose(observable.dt, dt, rel_tol=ON_A_STEP):
        raise UserError(
            f"the data's time step is {observable.dt:g} s, the network's {dt:g} s",
            where=name,
            remedy=f"resample the data, or export with --dt {observable.dt:g}",
        )
    if observable.data.dtype.kind not in "biuf":
        raise UserError(f"data of type {observable.data.dtype}", where=name, remedy="give numbers")
    with np.errstate(over="ignore"):
        return np.asarray(observable.data, dtype=np.float32)


def _on_grid(name: str, events: nir.EventData, dt: float, steps: int) -> np.ndarray:
    index, time = np.asarray(events.idx), np.asarray(events.time, dtype=np.float64)
    if index.ndim != 2 or index.shape != time.shape or index.dtype.kind not in "iu":
        raise UserError(
            f"events of shapes {list(index.shape)} and {list(time.shape)}",
            where=name,
            remedy="give integer idx and time [samples, events]",
        )
    sample, place = np.nonzero(index != -1)  # -1 fills up a sample with fewer events than others
    neuron, at = index[sample, place], time[sample, place] / dt
    if (neuron < 0).any() or (neuron >= events.n_neurons).any():
        raise UserError(
            f"events of neurons {neuron.min()} to {neuron.max()}, but there are {events.n_neurons}",
            where=name,
            remedy="count from 0; -1 means no event",
        )
    if not ((at >= 0) & (at <= steps)).all():
        raise UserError(
            f"events outside of 0 s to {events.t_max:g} s", where=name, remedy="count from 0 s; t_max is the end"
        )
    step = np.minimum(np.floor(at + ON_A_STEP).astype(np.int64), steps - 1)
    grid = np.zeros((len(index), steps, events.n_neurons), dtype=np.float32)
    values = events.value[sample, place] if isinstance(events, nir.ValuedEventData) else 1
    np.add.at(grid, (sample, step, neuron), values)
    return grid
