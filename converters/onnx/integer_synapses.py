"""Synapses of a ChipNetwork as integer ONNX operators that onnxruntime's CPU provider has, exact.

ONNX knows no Conv of integers but ConvInteger, on bytes. Weights take nine bits (-256..255), but a byte holds them
with a zero point where they span no more than 255 (weights of one sign), or once halved (the chip keeps weights of
mixed sign even). Messages are bytes too: spikes, and levels that span no more than 255. Weights are written unsigned
because of onnxruntime: its products of unsigned with signed bytes go, on processors without VNNI, through sums of two
products that saturate at 16 bits (measured, onnxruntime 1.32: 64 products of 255 and -128 gave -1,048,576 instead of
-2,088,960); those of unsigned with unsigned bytes are exact.

What does not fit, such as messages of 24 bits, goes through MatMul, which onnxruntime has for int32 and int64; a
convolution is then written out, each neuron's inputs gathered into a column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dalif_deploy.hw_models.arithmetic.lava.exactness import projection_bound
from dalif_deploy.hw_models.chip_network.form import ChipNetwork, Projection
from dalif_deploy.hw_models.chip_network.geometry import spatial_output

from .builder import GraphBuilder, Value

BYTE = 255
INT32 = 1 << 31


@dataclass
class _Bytes:
    """Weights and messages as unsigned bytes: weight = factor * (values - zero), message = byte - offset."""

    values: np.ndarray
    zero: int
    factor: int
    offset: int


class IntegerSynapses:
    """A projection's sums of weight * 2^weight_exp * message, int64, not wrapped."""

    def __init__(self, network: ChipNetwork, projection: Projection, graph: GraphBuilder):
        self.graph, self.projection = graph, projection
        self.source_shape = network.source_shape(projection.source)
        self.shape = network.populations[projection.target].shape
        self._bytes = _as_bytes(network, projection)
        weight, geometry = projection.weight, projection.geometry
        if self._bytes is not None:
            weight = self._bytes.values if geometry else self._bytes.values.T
        else:
            small = projection_bound(network, projection) >> projection.weight_exp < INT32
            self._dtype = np.int32 if small else np.int64
            rows = weight.reshape(geometry.groups, len(weight) // geometry.groups, -1) if geometry else weight.T
            weight = rows.astype(self._dtype)
        self._weight = graph.constant(weight)

    def sum(self, message: Value) -> Value:
        """int64 [N, *target shape], from messages [N, *source shape] of any integer type."""
        graph, dense = self.graph, self.projection.geometry is None
        if dense and len(self.source_shape) > 1:
            message = graph.op("Flatten", message, axis=1)
        if self._bytes is not None:
            total, factor = self._sum_of_bytes(message, self._bytes), self._bytes.factor
        else:
            message, factor = graph.cast(message, self._dtype), 1
            total = graph.op("MatMul", message, self._weight) if dense else self._gathered_sum(message)
        # a convolution's neurons may be numbered otherwise in the population, channels first all the same
        total = graph.cast(graph.reshape(total, self.shape), np.int64)
        factor <<= self.projection.weight_exp
        return total if factor == 1 else total * graph.constant(np.int64(factor))

    def _sum_of_bytes(self, message: Value, form: _Bytes) -> Value:
        graph, geometry = self.graph, self.projection.geometry
        if form.offset:
            message = graph.cast(message, np.int32) + graph.constant(np.int32(form.offset))
        message = graph.cast(message, np.uint8)
        zeros = [graph.constant(np.uint8(form.offset)), graph.constant(np.uint8(form.zero))]
        if geometry is None:
            return graph.op("MatMulInteger", message, self._weight, *zeros)
        return graph.op(
            "ConvInteger",
            message,
            self._weight,
            *zeros,
            strides=geometry.stride,
            pads=(*geometry.padding, *geometry.padding),
            dilations=geometry.dilation,
            group=geometry.groups,
        )

    def _gathered_sum(self, message: Value) -> Value:
        graph, geometry, weight = self.graph, self.projection.geometry, self.projection.weight
        assert geometry is not None
        space, kernel, groups = self.source_shape[1:], weight.shape[2:], geometry.groups
        padded = tuple(n + 2 * p for n, p in zip(space, geometry.padding, strict=True))
        if any(geometry.padding):
            pads = [0, 0, *geometry.padding, 0, 0, *geometry.padding]
            message = graph.op("Pad", message, graph.constant(np.array(pads, np.int64)))
        out = spatial_output(space, kernel, geometry)
        place = np.arange(int(np.prod(padded))).reshape(padded)
        axes = list(zip(geometry.dilation, geometry.stride, out, strict=True))
        taps = [
            place[tuple(slice(t * d, t * d + s * n, s) for t, (d, s, n) in zip(tap, axes, strict=True))]
            for tap in np.ndindex(*kernel)
        ]
        message = graph.reshape(message, (groups, weight.shape[1], place.size))
        columns = graph.op("Gather", message, graph.constant(np.stack(taps).reshape(-1)), axis=3)
        columns = graph.reshape(columns, (groups, weight.shape[1] * len(taps), int(np.prod(out))))
        return graph.op("MatMul", self._weight, columns)


def _as_bytes(network: ChipNetwork, projection: Projection) -> _Bytes | None:
    """None where bytes can't hold the weights or the messages, or int32 not their sum."""
    low, high = network.message_range(projection.source)
    offset = -low
    weight = projection.weight.astype(np.int64)
    factor = 1
    if weight.size and _span(weight) > BYTE and not (weight % 2).any():
        weight, factor = weight // 2, 2
    fan_in = int(np.prod(weight.shape[1:]))
    fits = high + offset <= BYTE and _span(weight) <= BYTE
    if not fits or fan_in * BYTE * (high + offset) >= INT32:
        return None
    zero = -min(0, int(weight.min(initial=0)))
    return _Bytes((weight + zero).astype(np.uint8), zero, factor, offset)


def _span(weight: np.ndarray) -> int:
    """From the lowest to the highest weight, 0 included: the zero point must be a byte as well."""
    return int(weight.max(initial=0)) - int(weight.min(initial=0))
