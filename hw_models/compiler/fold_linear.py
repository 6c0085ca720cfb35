"""Chains of linear NIR nodes between two populations, folded into one dense matrix or one convolution.

Biases travel apart from the chains, as constants from the node that adds them onwards: a node that several sources
lead into adds its bias once, not once a source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import nir
import numpy as np
import torch
from torch.nn.grad import conv1d_input, conv2d_input

from ..chip_network.apply_weight import apply_weight
from ..chip_network.form import Geometry
from ..chip_network.geometry import spatial_output
from ..errors import UserError
from ..graph.conv_geometry import pool_geometry, read_convolution
from ..graph.flat_graph import FlatGraph
from ..graph.node_delay import delay_steps
from ..neurons.recurrence import compact

DENSE_LIMIT = 1 << 27  # entries of a matrix that a chain without a convolution's form may be written out to

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LinearMap:
    """y = W x, delayed by `delay` steps; `nodes` are the NIR nodes it was folded from.

    Attributes:
        weight: None for the identity; else float64, dense [out, in] or a convolution kernel.
    """

    in_shape: Shape
    out_shape: Shape
    weight: np.ndarray | None = None
    geometry: Geometry | None = None
    delay: int = 0
    nodes: tuple[str, ...] = ()

    @property
    def matrix(self) -> np.ndarray:
        """`weight` of a map that is not the identity."""
        assert self.weight is not None
        return self.weight

    @property
    def sliding(self) -> Geometry:
        """`geometry` of a convolution."""
        assert self.geometry is not None
        return self.geometry


@dataclass(frozen=True)
class Constant:
    """A value, float64 of some node's output shape, that is there from step `start` on."""

    value: np.ndarray
    start: int = 0


def identity(shape: Shape) -> LinearMap:
    """The map of an edge without any node."""
    return LinearMap(shape, shape)


def node_constant(name: str, flat: FlatGraph) -> Constant | None:
    """The bias that a node adds, None without one."""
    bias = getattr(flat.nodes[name], "bias", None)
    if bias is None or not np.any(bias):
        return None
    shape = flat.shapes[name]
    values = np.asarray(bias, dtype=np.float64).reshape(-1, *[1] * (len(shape) - 1))
    return Constant(np.broadcast_to(values, shape))


def append_to_constant(constant: Constant, name: str, flat: FlatGraph, dt: float) -> list[Constant]:
    """The constant behind one more node (without that node's own bias): one for each delay of the node."""
    chains = append_node(identity(constant.value.shape), name, flat, dt)
    return [
        Constant(apply_linear_map(chain, constant.value[None])[0], constant.start + chain.delay)
        if chain.weight is not None
        else Constant(constant.value.reshape(chain.out_shape), constant.start + chain.delay)
        for chain in chains
    ]


def append_node(chain: LinearMap, name: str, flat: FlatGraph, dt: float) -> list[LinearMap]:
    """The chain with one more node at its end: one chain, or one for each delay of a Delay whose neurons differ."""
    node, out_shape = flat.nodes[name], flat.shapes[name]
    nodes = (*chain.nodes, name)
    if isinstance(node, nir.Input | nir.Output):
        return [chain]
    if isinstance(node, nir.Delay):
        delays = delay_steps(name, node, dt)
        if delays.ndim == 0:
            return [replace(chain, delay=chain.delay + int(delays), nodes=nodes)]
        delays = np.broadcast_to(delays, chain.out_shape)
        return [
            replace(scaled(chain, (delays == each).astype(np.float64)), delay=chain.delay + int(each), nodes=nodes)
            for each in np.unique(delays)
        ]
    if isinstance(node, nir.Flatten):
        return [replace(chain, out_shape=out_shape, nodes=nodes)]
    if isinstance(node, nir.Scale):
        return [replace(scaled(chain, np.asarray(node.scale, dtype=np.float64)), nodes=nodes)]
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        kernel, geometry = pool_geometry(node, out_shape[0])
        value = 1.0 if isinstance(node, nir.SumPool2d) else 1.0 / (kernel[0] * kernel[1])
        weight = np.full((out_shape[0], 1, *kernel), value)
    elif isinstance(node, nir.Conv1d | nir.Conv2d):
        weight, geometry = read_convolution(name, node)
    else:
        weight, geometry = np.asarray(node.weight, dtype=np.float64), None
    step = LinearMap(chain.out_shape, out_shape, weight, geometry)
    return [replace(_composed(chain, step, name), nodes=nodes)]


def materialized(chain: LinearMap, name: str) -> LinearMap:
    """The chain with weights: an identity becomes one synapse a neuron."""
    if chain.weight is not None:
        return chain
    if len(chain.out_shape) == 1 or chain.in_shape != chain.out_shape:
        size = int(np.prod(chain.out_shape))
        _check_dense(size, size, name)
        return replace(chain, weight=np.eye(size), geometry=None)
    channels, *spatial = chain.out_shape
    ones = (1,) * len(spatial)
    geometry = Geometry(ones, (0,) * len(spatial), ones, channels)
    return replace(chain, weight=np.ones((channels, 1, *ones)), geometry=geometry)


def scaled(chain: LinearMap, scale: np.ndarray) -> LinearMap:
    """The chain with its outputs scaled; dense where the scale differs within a channel of a convolution."""
    scale = compact(np.broadcast_to(scale, chain.out_shape))
    chain = materialized(chain, "")
    per_channel = scale.ndim == 0 or (scale.size == len(scale) and len(scale) == len(chain.matrix))
    if not per_channel and chain.geometry is not None:
        chain = _written_out(chain, "".join(chain.nodes[-1:]))
    rows = scale.reshape(-1) if scale.ndim == 0 or per_channel else np.broadcast_to(scale, chain.out_shape).reshape(-1)
    weight = chain.matrix * rows.reshape(-1, *[1] * (chain.matrix.ndim - 1))
    return replace(chain, weight=weight)


def fitted(chain: LinearMap, name: str) -> LinearMap:
    """The chain with weights in a form that ends in `out_shape`: a reshaped convolution is written out."""
    chain = materialized(chain, name)
    return chain if _keeps_form(chain) else _written_out(chain, name)


def _keeps_form(chain: LinearMap) -> bool:
    """False if what leaves the map was reshaped behind its convolution (a dense map has any shape)."""
    if chain.weight is None:
        return chain.in_shape == chain.out_shape
    if chain.geometry is None:
        return True
    spatial = spatial_output(chain.in_shape[1:], chain.weight.shape[2:], chain.geometry)
    return (len(chain.weight), *spatial) == chain.out_shape


def _composed(chain: LinearMap, step: LinearMap, name: str) -> LinearMap:
    if not _keeps_form(chain) and step.geometry is not None:
        # a convolution over something reshaped
        chain = _written_out(chain, name)
    if chain.weight is None:
        merged = replace(step, in_shape=chain.in_shape)
    elif chain.geometry is not None and step.geometry is not None and _composes_as_conv(chain, step):
        merged = _conv_of_conv(chain, step)
    elif step.geometry is None and chain.geometry is None:
        merged = replace(step, weight=step.weight @ chain.weight)
    elif step.geometry is None:
        merged = replace(step, weight=_pulled_back(chain, step.matrix, name))
    else:
        # push a basis through both: exact, but dense
        merged = _written_out(chain, name)
        rows = apply_linear_map(step, merged.matrix.T.reshape(-1, *chain.out_shape))
        merged = replace(step, weight=rows.reshape(len(rows), -1).T.copy(), geometry=None)
    return replace(merged, in_shape=chain.in_shape, out_shape=step.out_shape, delay=chain.delay)


def _pulled_back(chain: LinearMap, rows: np.ndarray, name: str) -> np.ndarray:
    """`rows` @ the chain's matrix, [rows, inputs], without writing out that matrix, which may be huge (a pool's is)."""
    _check_dense(len(rows), int(np.prod(chain.in_shape)), name)
    g, spatial = chain.sliding, spatial_output(chain.in_shape[1:], chain.matrix.shape[2:], chain.sliding)
    # the transpose of a convolution is what carries a gradient back through it
    transposed: Callable[..., torch.Tensor] = conv1d_input if len(spatial) == 1 else conv2d_input
    back = transposed(
        (len(rows), *chain.in_shape),
        torch.from_numpy(chain.matrix),
        torch.from_numpy(rows.reshape(len(rows), len(chain.matrix), *spatial)),
        g.stride, g.padding, g.dilation, g.groups,
    )  # fmt: skip
    pulled: np.ndarray = back.reshape(len(rows), -1).numpy()
    return pulled


def apply_linear_map(step: LinearMap, x: np.ndarray) -> np.ndarray:
    """The map's weights over a batch, [N, *in_shape] to [N, *out_shape], in float64; without its delay."""
    out = apply_weight(
        torch.from_numpy(np.require(x, np.float64, ["C", "W"])),
        torch.from_numpy(step.weight),
        step.geometry,
    )
    return out.reshape(len(x), *step.out_shape).numpy()


def _check_dense(rows: int, columns: int, name: str) -> None:
    if rows * columns > DENSE_LIMIT:
        raise UserError(
            f"this chain of linear nodes has no convolution's form and would need a matrix of {rows} x {columns}",
            where=name,
            remedy="put a neuron between the nodes, or use pools that divide the image",
        )


def _written_out(chain: LinearMap, name: str) -> LinearMap:
    """The same map as a dense matrix."""
    if chain.geometry is None and chain.weight is not None:
        return chain
    columns, rows = int(np.prod(chain.in_shape)), int(np.prod(chain.out_shape))
    _check_dense(rows, columns, name)
    basis = np.eye(columns).reshape(columns, *chain.in_shape)
    weight = (
        basis.reshape(columns, -1).T if chain.weight is None else apply_linear_map(chain, basis).reshape(columns, -1).T
    )
    return replace(chain, weight=np.ascontiguousarray(weight), geometry=None)


def _composes_as_conv(first: LinearMap, second: LinearMap) -> bool:
    """True if two convolutions are one.

    The second one's zero padding lies on the first one's output, where a single convolution would see the first's
    response to the border: the same only if the second pads nothing, or the first is a pool whose windows tile its
    input, unpadded, so that a padded output is a window of padded inputs.
    """
    a, b = first.sliding, second.sliding
    if any(d != 1 for d in (*a.dilation, *b.dilation)):
        return False
    if not any(b.padding) and not any(a.padding):
        return True
    kernel = first.matrix.shape[2:]
    tiles = kernel == a.stride and not any(a.padding)
    whole = all(n % k == 0 for n, k in zip(first.in_shape[1:], kernel, strict=True))
    return tiles and whole


def _conv_of_conv(first: LinearMap, second: LinearMap) -> LinearMap:
    """One kernel for two convolutions: K[o, i] = sum over m, offset of second[o, m, offset] * first[m, i], shifted."""
    a, b = first.sliding, second.sliding
    one, two = _ungrouped(first), _ungrouped(second)
    k1, k2 = one.shape[2:], two.shape[2:]
    size = tuple((n2 - 1) * s + n1 for n1, n2, s in zip(k1, k2, a.stride, strict=True))
    kernel = np.zeros((two.shape[0], one.shape[1], *size))
    for offset in np.ndindex(*k2):
        place = tuple(slice(o * s, o * s + n) for o, s, n in zip(offset, a.stride, k1, strict=True))
        kernel[(slice(None), slice(None), *place)] += np.tensordot(
            two[(slice(None), slice(None), *offset)], one, axes=1
        )
    stride = tuple(x * y for x, y in zip(a.stride, b.stride, strict=True))
    padding = tuple(p1 + p2 * s for p1, p2, s in zip(a.padding, b.padding, a.stride, strict=True))
    groups = a.groups if a.groups == b.groups == len(one) == len(two) else 1
    if groups > 1:
        index = np.arange(groups)
        kernel = kernel[index, index][:, None]
    return replace(second, weight=kernel, geometry=Geometry(stride, padding, (1,) * len(stride), groups))


def _ungrouped(chain: LinearMap) -> np.ndarray:
    weight, groups = chain.matrix, chain.sliding.groups
    if groups == 1:
        return weight
    full = np.zeros((len(weight), weight.shape[1] * groups, *weight.shape[2:]))
    outs, ins = len(weight) // groups, weight.shape[1]
    for g in range(groups):
        full[g * outs : (g + 1) * outs, g * ins : (g + 1) * ins] = weight[g * outs : (g + 1) * outs]
    return full
