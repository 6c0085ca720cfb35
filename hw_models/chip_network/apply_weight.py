"""Dense and convolutional synapses applied to a batch: the one place that says what `weight` and `geometry` mean."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .form import Geometry


def apply_weight(
    x: torch.Tensor, weight: torch.Tensor, geometry: Geometry | None, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Weighted sum of each target neuron's inputs.

    Args:
        x: [N, *source shape].
        weight: [out, in] (geometry None; x is flattened, channels first), [C_out, C_in / groups, L] or
            [C_out, C_in / groups, H, W].
        bias: [out] or [C_out].

    Returns:
        [N, out] or [N, C_out, *spatial], in the dtype of `x` and `weight`.
    """
    if geometry is None:
        return F.linear(x.flatten(1), weight, bias)
    convolve = F.conv1d if weight.ndim == 3 else F.conv2d
    return convolve(x, weight, bias, geometry.stride, geometry.padding, geometry.dilation, geometry.groups)
