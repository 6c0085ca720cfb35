"""What each operation is in NIR; None where only a matrix says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nir
import numpy as np

from dalif_deploy.hw_models.errors import UserError

from .apply import constant_part
from .values import Operation, Value

if TYPE_CHECKING:
    from .build_graph import GraphBuilder

Names = list[str]


def operation_nodes(graph: GraphBuilder, op: Operation, sources: list[Names]) -> Names | None:
    """Nodes for one operation behind `sources` (the terms of each input); their sum is its value."""
    given = op.inputs[0].shape
    p = op.parameters
    if op.kind == "linear":
        bias = p["bias"]
        node = nir.Linear(p["weight"]) if bias is None else nir.Affine(p["weight"], bias)
        return [graph.add(op.name, node, sources[0])]
    if op.kind == "conv":
        return [graph.add(op.name, _conv(op, given), sources[0])]
    if op.kind == "affine":
        return _affine(graph, op, sources[0])
    if op.kind == "avg_pool":
        return _pool(graph, op, given, sources[0])
    if op.kind == "max_pool":
        return _max_pool(graph, op, given, sources[0])
    if op.kind == "reshape":
        return _reshape(graph, op, given, sources[0])
    if op.kind == "cat":
        return _cat(graph, op, sources)
    if op.kind == "matrix":
        return _channel_matrix(graph, op, given, sources[0])
    if op.kind == "both":
        return both_nodes(graph, op, sources, op.shape)
    if op.kind == "product":
        raise UserError(
            "a product of two signals; neurons on the chip add", where=op.name, remedy="multiply by constants only"
        )
    return None


def _conv(op: Operation, given: tuple[int, ...]) -> nir.NIRNode:
    p = op.parameters
    weight = p["weight"]
    bias = np.zeros(len(weight)) if p["bias"] is None else p["bias"]
    if weight.ndim == 4:
        return nir.Conv2d(given[1:], weight, p["stride"], p["padding"], p["dilation"], p["groups"], bias)
    (stride,), (padding,), (dilation,) = p["stride"], p["padding"], p["dilation"]
    return nir.Conv1d(given[1], weight, stride, padding, dilation, p["groups"], bias)


def _each_channel(shape: tuple[int, ...], kernel: np.ndarray, bias: np.ndarray | None) -> nir.NIRNode:
    """A convolution of one group a channel; `kernel` [C, 1, ...]."""
    channels = shape[0]
    bias = np.zeros(channels) if bias is None else bias
    if len(shape) == 3:
        return nir.Conv2d(shape[1:], kernel, (1, 1), (0, 0), (1, 1), channels, bias)
    return nir.Conv1d(shape[1], kernel, 1, 0, 1, channels, bias)


def _affine(graph: GraphBuilder, op: Operation, sources: Names) -> Names | None:
    scale = np.array(np.broadcast_to(np.asarray(op.parameters["scale"], dtype=np.float64), op.shape))
    shift = constant_part(op)
    if shift is None:
        return [graph.add(op.name, nir.Scale(scale), sources)]
    if len(op.shape) == 1:
        return [graph.add(op.name, nir.Affine(np.diag(scale), shift), sources)]
    flat_scale, flat_shift = scale.reshape(len(scale), -1), shift.reshape(len(shift), -1)
    if (flat_scale != flat_scale[:, :1]).any() or (flat_shift != flat_shift[:, :1]).any():
        return None
    kernel = flat_scale[:, 0].reshape(-1, *[1] * len(op.shape))
    return [graph.add(op.name, _each_channel(op.shape, kernel, flat_shift[:, 0]), sources)]


def _pool(graph: GraphBuilder, op: Operation, given: tuple[int, ...], sources: Names) -> Names | None:
    p = op.parameters
    kernel, stride, padding = (np.array(p[k]) for k in ("kernel", "stride", "padding"))
    return [graph.add(op.name, nir.AvgPool2d(kernel, stride, padding), sources)]


def _max_pool(graph: GraphBuilder, op: Operation, given: tuple[int, ...], sources: Names) -> Names | None:
    p = op.parameters
    kernel, stride, padding, dilation = (p[k] for k in ("kernel", "stride", "padding", "dilation"))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    found = tuple((n + 2 * q - r) // s + 1 for n, q, r, s in zip(given[1:], padding, reach, stride, strict=True))
    if found != op.shape[1:]:
        return None  # rounded up
    count = graph.unique(f"{op.name}.count")
    if tuple(dilation) == (1, 1):
        node = nir.SumPool2d(np.array(kernel), np.array(stride), np.array(padding))
    else:
        channels = given[0]
        node = nir.Conv2d(
            given[1:], np.ones((channels, 1, *kernel)), stride, padding, dilation, channels, np.zeros(channels)
        )
    name = graph.add(count, node, sources)
    return [graph.add(op.name, nir.Threshold(np.full(op.shape, 0.5)), [name])]


def _reshape(graph: GraphBuilder, op: Operation, given: tuple[int, ...], sources: Names) -> Names | None:
    """Flattenings, if the shape is what merging neighbouring axes gives."""
    merges, at = [], 0
    for place, size in enumerate(op.shape):
        start, product = at, 1
        last = place == len(op.shape) - 1
        while at < len(given) and (product < size or (last and at < len(given)) or at == start):
            product *= given[at]
            at += 1
        if product != size:
            return None
        merges.append((start, at - 1))
    if at != len(given):
        return None
    shape = list(given)
    for start, end in reversed(merges):
        if end > start:
            node = nir.Flatten({"input": np.array(shape)}, start, end)
            sources = [graph.add(op.name, node, sources)]
            shape[start : end + 1] = [int(np.prod(shape[start : end + 1]))]
    return sources


def _cat(graph: GraphBuilder, op: Operation, sources: list[Names]) -> Names | None:
    """Each part goes to its place among zeros, and they are added."""
    if op.parameters["axis"] != 0:
        return None
    ends = []
    for value, names, at in zip(op.inputs, sources, op.parameters["starts"], strict=True):
        count = value.shape[0]
        place = np.zeros((op.shape[0], count))
        place[at : at + count] = np.eye(count)
        ends.append(graph.add(op.name, _mixing(value, place), names))
    return ends


def _mixing(value: Value, matrix: np.ndarray) -> nir.NIRNode:
    """Channels mixed by a matrix [out, in], the same at each place."""
    shape = value.shape
    if len(shape) == 1:
        return nir.Linear(matrix)
    bias = np.zeros(len(matrix))
    if len(shape) == 2:
        return nir.Conv1d(shape[1], matrix[:, :, None], 1, 0, 1, 1, bias)
    return nir.Conv2d(shape[1:], matrix[:, :, None, None], (1, 1), (0, 0), (1, 1), 1, bias)


def _channel_matrix(graph: GraphBuilder, op: Operation, given: tuple[int, ...], sources: Names) -> Names | None:
    """A matrix that treats all pixels alike is a convolution of width 1."""
    weight = op.parameters["weight"]
    if len(given) == len(op.shape) == 1:
        return [graph.add(op.name, nir.Linear(weight), sources)]
    if len(given) != len(op.shape) or len(given) > 3 or given[1:] != op.shape[1:]:
        return None
    pixels = int(np.prod(given[1:]))
    blocks = weight.reshape(op.shape[0], pixels, given[0], pixels)
    mixing = blocks[:, 0, :, 0]
    if not np.array_equal(np.einsum("oi,pq->opiq", mixing, np.eye(pixels)), blocks):
        return None
    return [graph.add(op.name, _mixing(op.inputs[0], np.array(mixing)), sources)]


def both_nodes(graph: GraphBuilder, op: Operation, sources: list[Names], shape: tuple[int, ...]) -> Names:
    """An AND of spikes: fires where all arrive; what was written as 1 - spikes comes in negated already."""
    return [graph.add(op.name, nir.Threshold(np.full(shape, len(sources) - 0.5)), [n for s in sources for n in s])]
