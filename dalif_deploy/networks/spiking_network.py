"""A network of DA-LIF layers and a linear readout averaged over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from dalif_deploy.networks.layers import INPUT, Branch, Layer
from dalif_deploy.neuron import DALIF

if TYPE_CHECKING:
    from dalif_deploy.networks.spec import NetworkSpec


class ConvBranch(nn.Module):
    """Convolution without bias, and batch norm."""

    def __init__(self, inputs: int, outputs: int, branch: Branch):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, branch.kernel, branch.stride, branch.padding, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, H, W] to the current it adds."""
        return self.norm(self.conv(x))


class SpikingLayer(nn.Module):
    """One layer: `sources[i]` drives it through `branches[i]`."""

    def __init__(self, layer: Layer, channels: dict[str, int], neuron: DALIF):
        super().__init__()
        self.sources = [branch.source for branch in layer.branches]
        self.branches = nn.ModuleList(
            ConvBranch(channels[b.source], layer.channels, b) if b.kernel else nn.Identity() for b in layer.branches
        )
        self.neuron = neuron

    def current(self, sources: list[torch.Tensor]) -> torch.Tensor:
        """Input of the neurons: the sum of all branches of [N, C, H, W]."""
        parts = [branch(x) for branch, x in zip(self.branches, sources, strict=True)]
        return sum(parts[1:], parts[0])


class SpikingNetwork(nn.Module):
    """See `NetworkSpec`; `layers` by name, in order of data flow."""

    def __init__(self, spec: NetworkSpec):
        super().__init__()
        self.spec, self.steps = spec, spec.steps
        channels, size = {INPUT: spec.input_shape[0]}, {INPUT: spec.input_shape[1:]}
        self.layers = nn.ModuleDict()
        for layer in spec.layers():
            neuron = DALIF(**spec.neuron.model_dump())
            self.layers[layer.name] = SpikingLayer(layer, channels, neuron)
            channels[layer.name] = layer.channels
            b = layer.branches[0]
            size[layer.name] = tuple((n + 2 * b.padding - b.kernel) // b.stride + 1 for n in size[b.source])
        self.last = layer.name
        height, width = (1, 1) if spec.pooled else size[self.last]
        self.pool_size = size[self.last] if spec.pooled else None
        self.readout = nn.Linear(channels[self.last] * height * width, spec.classes)

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
        still = x.ndim == 4
        steps = self.steps if still else len(x)
        fired = {INPUT: x if still else x.flatten(0, 1)}
        for name, layer in self.layers.items():
            current = layer.current([fired[source] for source in layer.sources])
            if still and set(layer.sources) == {INPUT}:
                # a still image gives the same current at each step: convolve it once
                current = current.expand(steps, *[-1] * current.ndim)
            else:
                current = current.unflatten(0, (steps, -1))
            held: list[torch.Tensor] | None = None if records is None else []
            spikes = layer.neuron(current, held)
            fired[name] = spikes.flatten(0, 1)
            if records is not None:
                records[name] = {"spikes": spikes, "membrane": torch.stack(held)}
        rates = fired[self.last].unflatten(0, (steps, -1)).mean(0)
        if self.pool_size is not None:
            rates = rates.mean((2, 3))
        return self.readout(rates.flatten(1))
