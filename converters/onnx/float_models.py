"""The two float models: one step with its state in and out, and T steps in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.decision_rule import BEFORE_RESET, DecisionRule, decision_rule
from dalif_deploy.hw_models.graph.flat_graph import FlatGraph
from dalif_deploy.hw_models.neurons import neuron_dynamics

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
    step. Outputs: [N, *shape] of each Output node, by the graph's decision rule, or the mean over time of what arrives
    there; `LAYER.spikes` (uint8) and `LAYER.membrane` (after the reset), [N, T, *shape].

    Raises:
        UserError: the membrane before a reset to zero decides.
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
    rule = decision_rule(flat)
    for name, each in arriving.items():
        read, shape = each, flat.shapes[name]
        if rule is not None and rule.reads_membrane:
            read, shape = _decisive_membranes(graph, flat, rule, dt, membrane, spikes), flat.shapes[rule.of]
        how = "mean" if rule is None else rule.over_time
        value = read[-1] if how == "last" else graph.op({"sum": "Sum", "max": "Max", "mean": "Mean"}[how], *read)
        graph.output(name, value, np.float32, shape)
    for kind, kept, dtype in (("spikes", spikes, np.uint8), ("membrane", membrane, np.float32)):
        for name, each in kept.items():
            graph.output(f"{name}.{kind}", graph.stacked(each), dtype, (steps, *flat.shapes[name]))
    return graph.model({"form": "sequence", **metadata})


def _decisive_membranes(
    graph: GraphBuilder,
    flat: FlatGraph,
    rule: DecisionRule,
    dt: float,
    membrane: dict[str, list[Value]],
    spikes: dict[str, list[Value]],
) -> list[Value]:
    """A value a step."""
    after = membrane[rule.of]
    if rule.what != BEFORE_RESET:
        return after
    dynamics = neuron_dynamics(rule.of, flat.nodes[rule.of], dt)
    if dynamics.reset != "subtract":
        raise UserError(
            "the class is read from the membrane before a reset to zero, which the ONNX model does not keep",
            where=rule.of,
            remedy="return the layer's spikes, or use --target nir",
        )
    threshold = graph.constant(np.asarray(dynamics.threshold, np.float32))
    return [
        graph.op("Add", v, graph.op("Mul", graph.cast(fired, np.float32), threshold))
        for v, fired in zip(after, spikes[rule.of], strict=True)
    ]
