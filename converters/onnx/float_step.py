"""One step of a NIR graph in ONNX: inputs and state in, every node's value and the next state out."""

from __future__ import annotations

from collections.abc import Callable

import nir
import numpy as np

from dalif_deploy.hw_models.graph.flat_graph import FlatGraph
from dalif_deploy.hw_models.graph.graph_step import GraphStep
from dalif_deploy.hw_models.graph.node_delay import delay_steps
from dalif_deploy.hw_models.neurons import NEURONS, neuron_dynamics

from .builder import GraphBuilder, Value
from .float_layers import FloatNeuron, linear_layer

State = dict[str, Value]


class FloatStep:
    """The graph's nodes with their constants, ready to be stepped as often as wanted.

    Attributes:
        initial: name of each state -> its value before the first step, float32 [*shape]: `LAYER.membrane`,
            `LAYER.current` of a synaptic filter, `LAYER.waits` (steps to come) of a refractory time, `DELAY.past1`
            (what entered a step ago), `.past2` … of a Delay node, and `LAYER.last` (what it sent a step ago) of a layer
            whose output closes a loop.
    """

    def __init__(self, flat: FlatGraph, dt: float, graph: GraphBuilder):
        self.flat, self.graph = flat, graph
        self.initial: dict[str, np.ndarray] = {}
        self._neurons: dict[str, FloatNeuron] = {}
        self._delays: dict[str, np.ndarray] = {}
        self._layers: dict[str, Callable[[Value], Value]] = {}
        for name in flat.order():
            node, shape = flat.nodes[name], flat.shapes[name]
            if flat.is_neuron(name):
                dynamics = neuron_dynamics(name, node, dt)
                self._neurons[name] = FloatNeuron(dynamics, graph)
                if NEURONS[type(node)].state:
                    self.initial[f"{name}.membrane"] = np.full(shape, dynamics.start, np.float32)
                if dynamics.syn_beta is not None:
                    self.initial[f"{name}.current"] = np.zeros(shape, np.float32)
                if dynamics.refractory and dynamics.threshold is not None:
                    self.initial[f"{name}.waits"] = np.zeros(shape, np.float32)
            elif isinstance(node, nir.Delay):
                self._delays[name] = steps = delay_steps(name, node, dt)
                for age in range(1, int(steps.max(initial=0)) + 1):
                    self.initial[f"{name}.past{age}"] = np.zeros(shape, np.float32)
            else:
                self._layers[name] = linear_layer(name, flat, graph)
        for source, _ in sorted(flat.back_edges):
            self.initial[f"{source}.last"] = np.zeros(flat.shapes[source], np.float32)

    def __call__(self, inputs: dict[str, Value], state: State, scope: str = "") -> tuple[dict[str, Value], State]:
        """(value of every node, [N, *shape]; state after the step)."""
        following: State = {}

        def compute(name: str, x: Value) -> Value:
            self.graph.scope = f"{scope}{name}"
            if name in self._neurons:
                kinds = ("membrane", "current", "waits")
                sent, *after = self._neurons[name].step(x, *(state.get(f"{name}.{kind}") for kind in kinds))
                following.update({f"{name}.{kind}": v for kind, v in zip(kinds, after, strict=True) if v is not None})
                return sent
            return self._late(name, x, state, following) if name in self._delays else self._layers[name](x)

        graph_step = GraphStep(self.flat, lambda source: state[f"{source}.last"])
        values = graph_step(inputs, compute)
        for source, value in graph_step.waiting.items():
            following[f"{source}.last"] = value
        return values, following

    def _late(self, name: str, x: Value, state: State, following: State) -> Value:
        steps = self._delays[name]
        line = [x, *(state[f"{name}.past{age}"] for age in range(1, int(steps.max(initial=0)) + 1))]
        for age in range(1, len(line)):
            following[f"{name}.past{age}"] = line[age - 1]
        if steps.ndim == 0:
            return line[-1]
        late = line[0]
        for age, value in enumerate(line[1:], 1):
            late = self.graph.op("Where", self.graph.constant(steps == age), value, late)
        return late
