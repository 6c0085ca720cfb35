"""The synapses of a projection one by one: for formats that know no convolution, and for small networks only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .form import Projection


class SynapseList(NamedTuple):
    """Stored synapses, zero weights left out; arrays of one length, neurons numbered channels first."""

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray


def synapse_list(projection: Projection, source_shape: tuple[int, ...], target_shape: tuple[int, ...]) -> SynapseList:
    """All synapses of a projection."""
    if projection.geometry is None:
        target, source = np.nonzero(projection.weight)
        return SynapseList(source, target, projection.weight[target, source].astype(np.int64))
    geometry = projection.geometry
    sources = np.arange(int(np.prod(source_shape))).reshape(source_shape)
    targets = np.arange(int(np.prod(target_shape))).reshape(target_shape)
    outputs_a_group = len(projection.weight) // geometry.groups
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for out, channel, *tap in zip(*np.nonzero(projection.weight), strict=True):
        # along each axis, which target pixels this tap reaches from which source pixels
        reached, comes_from = [], []
        for axis, position in enumerate(tap):
            pixels = np.arange(target_shape[axis + 1])
            origin = pixels * geometry.stride[axis] - geometry.padding[axis] + position * geometry.dilation[axis]
            inside = (origin >= 0) & (origin < source_shape[axis + 1])
            reached.append(pixels[inside])
            comes_from.append(origin[inside])
        first = out // outputs_a_group * projection.weight.shape[1]
        source = sources[first + channel][np.ix_(*comes_from)].ravel()
        weight = projection.weight[(out, channel, *tap)]
        parts.append((source, targets[out][np.ix_(*reached)].ravel(), np.full(len(source), weight, dtype=np.int64)))
    if not parts:
        return SynapseList(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
    return SynapseList(*(np.concatenate(each) for each in zip(*parts, strict=True)))
