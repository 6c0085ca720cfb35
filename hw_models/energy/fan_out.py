"""Fan-out: how many synapses each source neuron has in a projection, exact at the borders of an image."""

from __future__ import annotations

import numpy as np
import torch

from ..chip_network.apply_weight import apply_weight
from ..chip_network.form import Geometry


def fan_out(present: np.ndarray, geometry: Geometry | None, source_shape: tuple[int, ...]) -> np.ndarray:
    """Synapses that leave each source neuron.

    The weighted sum is linear, so the derivative of its total with respect to one source neuron, with 1 for each
    synapse that is present, is that neuron's fan-out: a transposed convolution of the mask, clipped at the borders.

    Args:
        present: bool, shaped as `Projection.weight`; True where a synapse is counted. Pass `weight != 0` for stored
            synapses, all True for a dense computation.
        source_shape: (C, H, W), (C, L) or (N,).

    Returns:
        int64 [*source_shape].
    """
    with torch.enable_grad():
        source = torch.zeros((1, *source_shape), dtype=torch.float64, requires_grad=True)
        mask = torch.from_numpy(np.asarray(present, dtype=np.float64))
        (count,) = torch.autograd.grad(apply_weight(source, mask, geometry).sum(), source)
    return count[0].round().to(torch.int64).numpy()


def dense_macs(weight: np.ndarray, geometry: Geometry | None, source_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of one dense pass: zero weights are included, taps on the padding are not."""
    return int(fan_out(np.ones(weight.shape, dtype=bool), geometry, source_shape).sum())
