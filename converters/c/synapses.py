"""Weights of a projection in the order in which the C code reads them: a row of targets for each source.

The row of source neuron s holds what s adds to the channels of one target place: for a convolution, rows are ordered by
tap (y, x) and source channel; for a dense layer by source neuron, and a row spans all target neurons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dalif_deploy.hw_models.chip_network.form import Geometry, Projection

from .space import Space


@dataclass(frozen=True, eq=False)
class Synapses:
    """One projection.

    Attributes:
        name, source, target: identifiers.
        rows: integers, flat; `row_size` weights a row.
        exponent: each weight counts rows * 2^exponent (before the shift by 6 that all synapses have).
        ctype: smallest C type of `rows`.
        geometry: None for dense; one entry for y and one for x, whatever the number of axes.
        kernel: (height, width), (1, 1) for dense.
        delay: logical steps.
        bound: largest |sum| that a target can receive in a step.
    """

    name: str
    source: str
    target: str
    rows: np.ndarray
    row_size: int
    exponent: int
    ctype: str
    geometry: Geometry | None
    kernel: tuple[int, int]
    delay: int
    bound: int

    @property
    def grouped(self) -> bool:
        """True if a source channel reaches some of the target channels only."""
        return self.geometry is not None and self.geometry.groups > 1


def synapses(
    name: str, projection: Projection, source: Space, target: Space, ends: tuple[str, str], bound: int
) -> Synapses:
    """Reorders the weights of a projection.

    Args:
        ends: identifiers of source and target.
        bound: see `hw_models.simulator.exactness.projection_bound`.
    """
    weight = projection.weight.astype(np.int64)
    exponent = projection.weight_exp
    # weights of mixed sign are even on the chip: halved, they fit a byte
    if weight.size and not (weight.min() >= -128 and weight.max() <= 127) and not (weight % 2).any():
        weight, exponent = weight // 2, exponent + 1
    fits_byte = not weight.size or (weight.min() >= -128 and weight.max() <= 127)
    ctype = "int8_t" if fits_byte else "int16_t"
    if projection.geometry is None:
        rows = weight[target.order][:, source.order].T
        row_size, kernel, geometry = target.size, (1, 1), None
    else:
        geometry = planar(projection.geometry)
        four = weight if weight.ndim == 4 else weight[:, :, None, :]
        kernel = (four.shape[2], four.shape[3])
        groups = geometry.groups
        row_size = len(four) // groups
        # [group, out, in, y, x] -> [y, x, group, in, out]
        rows = four.reshape(groups, row_size, *four.shape[1:]).transpose(3, 4, 0, 2, 1)
    return Synapses(
        name,
        *ends,
        np.ascontiguousarray(rows).ravel(),
        row_size,
        exponent,
        ctype,
        geometry,
        kernel,
        projection.delay,
        bound,
    )


def planar(geometry: Geometry) -> Geometry:
    """With an entry for y and one for x, whatever the number of axes."""
    if len(geometry.stride) == 2:
        return geometry
    return Geometry((1, *geometry.stride), (0, *geometry.padding), (1, *geometry.dilation), geometry.groups)
