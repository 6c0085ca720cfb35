"""NIR's nodes as ONNX operators in float32: what `dalif_deploy.hw_models.reference` does in torch, node for node."""

from __future__ import annotations

from collections.abc import Callable

import nir
import numpy as np

from dalif_deploy.hw_models.graph.conv_geometry import pool_geometry, read_convolution
from dalif_deploy.hw_models.graph.flat_graph import FlatGraph
from dalif_deploy.hw_models.neurons import NeuronDynamics
from dalif_deploy.hw_models.neurons.recurrence import ZERO

from .builder import GraphBuilder, Value


def linear_layer(name: str, flat: FlatGraph, graph: GraphBuilder) -> Callable[[Value], Value]:
    """Function from [N, *what arrives] to [N, *shape] for a node without a memory."""
    node, shape = flat.nodes[name], flat.shapes[name]
    if isinstance(node, nir.Input | nir.Output):
        return lambda x: x
    if isinstance(node, nir.Flatten):
        return lambda x: graph.reshape(x, shape)
    if isinstance(node, nir.Scale):
        scale = graph.constant(np.asarray(node.scale, np.float32))
        return lambda x: x * scale
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        return _pool(node, shape[0], graph)
    bias = None if getattr(node, "bias", None) is None else np.asarray(node.bias, np.float32)
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        kernel, geometry = read_convolution(name, node)
        operands = [graph.constant(a) for a in (kernel.astype(np.float32), bias) if a is not None]
        attributes = {
            "strides": geometry.stride,
            "pads": (*geometry.padding, *geometry.padding),
            "dilations": geometry.dilation,
            "group": geometry.groups,
        }
        return lambda x: graph.op("Conv", x, *operands, **attributes)
    operands = [graph.constant(a) for a in (np.asarray(node.weight, np.float32), bias) if a is not None]
    return lambda x: graph.op("Gemm", x, *operands, transB=1)


def _pool(node: nir.SumPool2d | nir.AvgPool2d, channels: int, graph: GraphBuilder) -> Callable[[Value], Value]:
    kernel, geometry = pool_geometry(node, channels)
    size = graph.constant(np.array(kernel[0] * kernel[1], np.float32))

    def pool(x: Value) -> Value:
        pads = (*geometry.padding, *geometry.padding)
        mean = graph.op("AveragePool", x, kernel_shape=kernel, strides=geometry.stride, pads=pads, count_include_pad=1)
        return mean if isinstance(node, nir.AvgPool2d) else mean * size

    return pool


class FloatNeuron:
    """A population's step by the recurrence of `dalif_deploy.hw_models.neurons.recurrence`."""

    def __init__(self, dynamics: NeuronDynamics, graph: GraphBuilder):
        self.graph, self.dynamics = graph, dynamics

    def step(
        self, x: Value, membrane: Value | None, current: Value | None, waits: Value | None
    ) -> tuple[Value, Value, Value | None, Value | None]:
        """(what it sends, membrane after the reset, current, waits) of one step.

        Args:
            membrane: of the step before; None for a neuron that forgets at each step (NIR's Threshold).
            current: of the step before; None without a synaptic filter.
            waits: steps that each neuron is still refractory; None without a refractory time.
        """
        d, graph = self.dynamics, self.graph
        if d.syn_beta is not None:
            assert current is not None and d.syn_gain is not None
            current = self._times(current, d.syn_beta) + self._times(x, d.syn_gain)
            x = current
        v = self._times(x, d.gain)
        if membrane is not None:
            v = self._times(membrane, d.beta) + v
        if np.any(d.offset):
            v = v + self._constant(d.offset)
        if d.v_min is not None:
            v = graph.op("Max", v, self._constant(d.v_min))
        if waits is not None:
            v = graph.op("Where", waits > self._constant(ZERO), self._constant(d.reset_value), v)
        if d.threshold is None:
            return v, v, current, waits
        threshold = self._constant(d.threshold)
        fired = v > threshold
        spikes = graph.cast(fired, np.float32)
        if d.max_spikes > 1:
            height = v - self._constant(d.reset_value)
            times = graph.op("Ceil", graph.op("Div", height, self._constant(d.threshold - d.reset_value)))
            one, many = self._constant(np.array(1)), self._constant(np.array(d.max_spikes))
            spikes = graph.op("Clip", times - one, self._constant(ZERO), many)
        if waits is not None:
            left = graph.op("Max", waits - self._constant(np.array(1)), self._constant(ZERO))
            waits = graph.op("Where", fired, self._constant(np.array(d.refractory)), left)
        if d.reset == "subtract":
            return spikes, v - spikes * threshold, current, waits
        return spikes, graph.op("Where", fired, self._constant(d.reset_value), v), current, waits

    def _times(self, x: Value, factor: np.ndarray) -> Value:
        return x if np.all(factor == 1) else x * self._constant(factor)

    def _constant(self, array: np.ndarray) -> Value:
        return self.graph.constant(np.asarray(array, np.float32))
