"""The two float models: one step with its state in and out, and T steps in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dalif_deploy.hw_models.graph.flat_graph import FlatGraph

from .builder import TIME, GraphBuilder, Value
from .float_step import FloatStep
from .metadata import initial_state

if TYPE_CHECKING:
    import onnx


def step_model(flat: FlatGraph, dt: float, metadata: dict[str, str]) -> onnx.ModelProto:
    """One step.

    Inputs: each Input node by its name, float32 [N, *shape], and each state (`FloatStep.initial`) by its name.
    Outputs: each Output node's value at this step, `LAYER.spikes` (uint8), `STATE_next`. The metadata names, as
    `initial.STATE`, every state that does not begin at 0.
    """
    graph = GraphBuilder("step")
    step = FloatStep(flat, dt, graph)
    inputs = {name: graph.input(name, np.float32, flat.shapes[name]) for name in flat.inputs}
    state = {name: graph.input(name, np.float32, start.shape) for name, start in step.initial.items()}
    values, following = step(inputs, state)
    for name in flat.outputs:
        graph.output(name, values[name], np.float32, flat.shapes[name])
    for name in flat.spiking:
        graph.output(f"{name}.spikes", values[name], np.uint8, flat.shapes[name])
    for name, start in step.initial.items():
        graph.output(f"{name}_next", following[name], np.float32, start.shape)
    return graph.model({"form": "step", **metadata, **initial_state(step.initial)})


def sequence_model(flat: FlatGraph, dt: float, steps: int, metadata: dict[str, str]) -> onnx.ModelProto:
    """T steps from rest.

    Inputs: each Input node by its name, float32 [N, T, *shape], or [N, 1, *shape] for data that is the same at each
    step. Outputs: the mean over time of what arrives at each Output node, [N, *shape]; `LAYER.spikes` (uint8) and
    `LAYER.membrane` (after the reset), [N, T, *shape].
    """
    graph = GraphBuilder("sequence")
    step = FloatStep(flat, dt, graph)
    given = {name: graph.input(name, np.float32, (TIME, *flat.shapes[name])) for name in flat.inputs}
    moving = {name: graph.over_time(x, steps, len(flat.shapes[name])) for name, x in given.items()}
    state = {name: graph.batched(start) for name, start in step.initial.items()}
    spikes: dict[str, list[Value]] = {name: [] for name in flat.spiking}
    membrane: dict[str, list[Value]] = {name: [] for name in flat.neurons}
    arriving: dict[str, list[Value]] = {name: [] for name in flat.outputs}
    for t in range(steps):
        values, state = step({name: each[t] for name, each in moving.items()}, state, f"t{t}/")
        for kept in (spikes, arriving):
            for name, each in kept.items():
                each.append(values[name])
        for name, each in membrane.items():
            each.append(state[f"{name}.membrane"])
    graph.scope = "outputs"
    for name, each in arriving.items():
        graph.output(name, graph.op("Mean", *each), np.float32, flat.shapes[name])
    for kind, kept, dtype in (("spikes", spikes, np.uint8), ("membrane", membrane, np.float32)):
        for name, each in kept.items():
            graph.output(f"{name}.{kind}", graph.stacked(each), dtype, (steps, *flat.shapes[name]))
    return graph.model({"form": "sequence", **metadata})
