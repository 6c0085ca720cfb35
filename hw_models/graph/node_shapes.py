"""Output shape of each NIR node type, from the node and what arrives. Channels first, no batch, no time."""

from __future__ import annotations

import math

import nir
import numpy as np

from ..chip_network.geometry import spatial_output
from ..errors import UserError
from ..neurons import NEURONS
from .conv_geometry import pool_geometry, read_convolution

Shape = tuple[int, ...]


def output_shape(name: str, node: nir.NIRNode, arriving: list[Shape]) -> Shape:
    """Shape that `node` gives out.

    Args:
        arriving: output shapes of the predecessors; all must be the same, since fan-in adds.

    Raises:
        UserError: predecessors differ, or do not fit the node's parameters.
    """
    try:
        return _output_shape(name, node, arriving)
    except UserError:
        raise
    except Exception as error:  # a parameter of another kind or shape than the node's
        what = f"unusable parameters of this {type(node).__name__} ({type(error).__name__}: {error})"
        raise UserError(what, where=name, remedy="repair the graph") from error


def _output_shape(name: str, node: nir.NIRNode, arriving: list[Shape]) -> Shape:
    if isinstance(node, nir.Input):
        own = tuple(int(n) for n in node.input_type["input"])
        if not arriving:
            return own
    if len(set(arriving)) > 1:
        raise UserError(
            f"inputs of different shapes {sorted(set(arriving))} can't be added",
            where=name,
            remedy="check the edges",
        )
    if not arriving:
        raise UserError("nothing leads into this node", where=name, remedy="connect it or remove it")
    shape = arriving[0]
    if isinstance(node, nir.Affine | nir.Linear):
        return _dense(name, node, shape)
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        return _conv(name, node, shape)
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        kernel, geometry = pool_geometry(node, shape[0] if shape else 1)
        if len(shape) != 3:
            raise UserError(f"pooling needs (C, H, W), got {list(shape)}", where=name, remedy="check the layer before")
        return (shape[0], *_positive(name, spatial_output(shape[1:], kernel, geometry)))
    if isinstance(node, nir.Flatten):
        return _flatten(node, shape)
    for parameter in _parameter_shapes(node):
        try:
            fits = np.broadcast_shapes(parameter, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise UserError(
                f"parameters of shape {list(parameter)} do not fit an input of shape {list(shape)}",
                where=name,
                remedy="check the layer before, or the order of the axes",
            )
    return shape


def _parameter_shapes(node: nir.NIRNode) -> list[Shape]:
    """Of what has a value a neuron; a single value fits any number of them."""
    neuron = NEURONS.get(type(node))
    keys = ("scale", "delay") if neuron is None else neuron.parameters
    shapes = [np.shape(value) for key in keys if (value := getattr(node, key, None)) is not None]
    return [shape for shape in shapes if shape not in ((), (1,))]


def _dense(name: str, node: nir.Affine | nir.Linear, shape: Shape) -> Shape:
    weight = node.weight
    if weight.ndim != 2 or (len(shape) == 1 and weight.shape[1] != shape[0]) or (len(shape) != 1):
        raise UserError(
            f"weight of shape {list(weight.shape)} does not fit an input of shape {list(shape)}",
            where=name,
            remedy="put a Flatten before it, or check the layer before",
        )
    _check_bias(name, node, len(weight))
    return (int(weight.shape[0]),)


def _conv(name: str, node: nir.Conv1d | nir.Conv2d, shape: Shape) -> Shape:
    kernel = node.weight.shape[2:]
    if len(shape) != len(kernel) + 1 or node.weight.shape[1] * int(node.groups) != shape[0]:
        raise UserError(
            f"kernel {list(node.weight.shape)} with {int(node.groups)} groups does not fit an input of {list(shape)}",
            where=name,
            remedy="channels come first; check the layer before",
        )
    weight, geometry = read_convolution(name, node)
    _check_bias(name, node, len(weight))
    return (len(weight), *_positive(name, spatial_output(shape[1:], weight.shape[2:], geometry)))


def _check_bias(name: str, node: nir.NIRNode, channels: int) -> None:
    size = math.prod(np.shape(getattr(node, "bias", 0)))  # of torch too
    if size not in (1, channels):
        raise UserError(f"{size} biases for {channels} channels", where=name, remedy="give one per channel")


def _positive(name: str, spatial: Shape) -> Shape:
    if min(spatial) < 1:
        raise UserError(
            f"output would have the spatial shape {list(spatial)}",
            where=name,
            remedy="check kernel, stride and padding",
        )
    return spatial


def _flatten(node: nir.Flatten, shape: Shape) -> Shape:
    # NIR counts axes without the batch
    start = int(node.start_dim) % len(shape)
    end = int(node.end_dim) % len(shape)
    return (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])
