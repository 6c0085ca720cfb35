"""What a NIR node without a membrane does to the values of one step."""

from __future__ import annotations

from collections.abc import Callable

import nir
import torch
import torch.nn.functional as F

from ..chip_network.apply_weight import apply_weight
from ..graph.conv_geometry import pool_geometry, read_convolution
from ..graph.flat_graph import FlatGraph
from ..graph.node_delay import delay_steps


def linear_map(name: str, flat: FlatGraph, dt: float, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    """Function from [N, *what arrives] to [N, *shape]; a delay's has a memory, and is good for one run."""
    node, shape = flat.nodes[name], flat.shapes[name]
    if isinstance(node, nir.Input | nir.Output):
        return lambda x: x
    if isinstance(node, nir.Flatten):
        return lambda x: x.reshape(len(x), *shape)
    if isinstance(node, nir.Scale):
        scale = torch.as_tensor(node.scale, dtype=dtype)
        return lambda x: x * scale
    if isinstance(node, nir.Delay):
        return _DelayLine(name, node, dt)
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        kernel, geometry = pool_geometry(node, shape[0])
        factor = 1 if isinstance(node, nir.AvgPool2d) else kernel[0] * kernel[1]
        return lambda x: F.avg_pool2d(x, kernel, geometry.stride, geometry.padding) * factor
    is_conv = isinstance(node, nir.Conv1d | nir.Conv2d)
    values, sliding = read_convolution(name, node) if is_conv else (node.weight, None)
    weight = torch.as_tensor(values, dtype=dtype)
    bias = torch.as_tensor(node.bias, dtype=dtype) if getattr(node, "bias", None) is not None else None
    return lambda x: apply_weight(x, weight, sliding, bias)


class _DelayLine:
    def __init__(self, name: str, node: nir.Delay, dt: float):
        self.steps = torch.from_numpy(delay_steps(name, node, dt))
        self.line: list[torch.Tensor] = []

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.line = [x, *self.line[: int(self.steps.max())]]
        late = torch.zeros_like(x)
        for age, value in enumerate(self.line):
            late = torch.where(self.steps == age, value, late)
        return late
