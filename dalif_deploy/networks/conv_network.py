"""conv-BN-DALIF blocks and a linear readout averaged over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from dalif_deploy.neuron import DALIF

if TYPE_CHECKING:
    from dalif_deploy.networks.spec import NetworkSpec


class ConvBlock(nn.Module):
    """Convolution without bias, batch norm, DA-LIF neurons."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, neuron: DALIF):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.neuron = neuron

    def current(self, x: torch.Tensor) -> torch.Tensor:
        """Input of the neurons for [N, C, H, W]."""
        return self.norm(self.conv(x))


class ConvNetwork(nn.Module):
    """See `NetworkSpec`. Layers are named block1, block2, …, readout."""

    def __init__(self, spec: NetworkSpec):
        super().__init__()
        self.spec, self.steps = spec, spec.steps
        channels, *size = spec.input_shape
        self.blocks = nn.ModuleList()
        for width, stride in zip(spec.channels, spec.strides, strict=True):
            self.blocks.append(ConvBlock(channels, width, spec.kernel, stride, DALIF(**spec.neuron.model_dump())))
            channels = width
            size = [(n + 2 * (spec.kernel // 2) - spec.kernel) // stride + 1 for n in size]
        self.readout = nn.Linear(channels * size[0] * size[1], spec.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, classes], averaged over time.

        Args:
            x: [N, C, H, W], shown at each of `steps` steps, or a sequence [T, N, C, H, W].
        """
        return self._run(x, None)

    def forward_recorded(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, dict[str, torch.Tensor]]]:
        """As forward, and a layer {"spikes": [T, N, ...], "membrane": [T, N, ...] after the reset}."""
        records: dict[str, dict[str, torch.Tensor]] = {}
        return self._run(x, records), records

    def _run(self, x: torch.Tensor, records: dict | None) -> torch.Tensor:
        static = x.ndim == 4
        for index, block in enumerate(self.blocks, start=1):
            if static and index == 1:
                # a still image gives the same current at each step: convolve it once
                current = block.current(x).expand(self.steps, *[-1] * x.ndim)
            else:
                current = block.current(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            held: list[torch.Tensor] | None = None if records is None else []
            x = block.neuron(current, held)
            if records is not None:
                records[f"block{index}"] = {"spikes": x, "membrane": torch.stack(held)}
        return self.readout(x.flatten(2).mean(0))
