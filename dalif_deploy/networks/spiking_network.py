"""A network of DA-LIF layers and a linear readout averaged over time."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from dalif_deploy.networks.layer_shapes import Shape, layer_shapes, pooled_shape
from dalif_deploy.networks.layers import INPUT, Branch, Layer
from dalif_deploy.networks.spec import NetworkSpec
from dalif_deploy.neuron import DALIF

Records = dict[str, dict[str, torch.Tensor]]  # a layer: spikes and membrane, [T, N, ...]


class BranchModule(nn.Module):
    """A branch's pooling, weights without bias, and batch norm; `linear` and `norm` are None for an identity.

    Without batch norm the weights have a bias.
    """

    def __init__(self, branch: Branch, shape: Shape, outputs: int, batch_norm: bool = True):
        super().__init__()
        self.branch, self.shape = branch, shape
        self.pool = branch.pool if branch.pool or len(shape) == 1 else shape[1:]
        pooled = pooled_shape(branch, shape)
        self.linear: nn.Module | None = None
        self.norm: nn.Module | None = None
        if branch.kind == "conv":
            self.linear = nn.Conv2d(
                shape[0], outputs, branch.kernel, branch.stride, branch.padding, bias=not batch_norm
            )
            self.norm = nn.BatchNorm2d(outputs) if batch_norm else None
        elif branch.kind == "dense":
            size = 1
            for n in pooled:
                size *= n
            self.linear = nn.Linear(size, outputs, bias=not batch_norm)
            self.norm = nn.BatchNorm1d(outputs) if batch_norm else None

    def forward(self, sources: list[torch.Tensor]) -> torch.Tensor:
        """[N, *shape] of each source to the current that the branch adds."""
        x = self.pooled(sources)
        if self.linear is None:
            return x
        current: torch.Tensor = self.linear(x.flatten(1) if self.branch.kind == "dense" else x)
        return current if self.norm is None else self.norm(current)

    def pooled(self, sources: list[torch.Tensor]) -> torch.Tensor:
        """What the weights see, [N, *pooled shape]."""
        x = sum(sources[1:], sources[0])
        return x if self.pool == 1 else F.avg_pool2d(x, self.pool)


class SpikingLayer(nn.Module):
    """One layer of neurons, the branches that drive it, and the weights by which it drives itself, if any."""

    def __init__(self, layer: Layer, shapes: dict[str, Shape], spec: NetworkSpec):
        super().__init__()
        self.branches = nn.ModuleList(
            BranchModule(b, shapes[b.sources[0]], layer.channels, spec.batch_norm) for b in layer.branches
        )
        shape = shapes[layer.name]
        # where the spec says "relu" it is a ReLULayer, called as DALIF is; what asks for decays asks for its class
        self.neuron = cast("DALIF", spec.neuron.build(shape))
        self.recurrent: nn.Linear | nn.Conv2d | None = None
        if spec.recurrent:
            size = shape[0]
            image = len(shape) > 1
            self.recurrent = nn.Conv2d(size, size, 3, 1, 1, bias=False) if image else nn.Linear(size, size, bias=False)

    def fire(
        self, current: torch.Tensor, record: list[torch.Tensor] | None = None, steps: int | None = None
    ) -> torch.Tensor:
        """Spikes [T, N, ...] of the neurons, given what the branches bring; `record` and `steps` as for `DALIF`."""
        if self.recurrent is None:
            spikes: torch.Tensor = self.neuron(current, record, steps)
            return spikes
        if steps is not None:
            current = current.expand(steps, *current.shape)
        state: torch.Tensor | None = None
        fired: list[torch.Tensor] = []
        for now in current:
            s, state = self.neuron.step(now + self.recurrent(fired[-1]) if fired else now, state)
            fired.append(s)
            if record is not None:
                record.append(state)
        return torch.stack(fired)

    def current(self, fired: dict[str, torch.Tensor]) -> torch.Tensor:
        """Input of the neurons: the sum of all branches. `fired`: source -> [N, *shape]."""
        parts: list[torch.Tensor] = [module([fired[s] for s in module.branch.sources]) for module in self._branches()]
        return sum(parts[1:], parts[0])

    @property
    def sources(self) -> set[str]:
        """All that drives the layer."""
        return {source for module in self._branches() for source in module.branch.sources}

    def _branches(self) -> list[BranchModule]:
        return cast("list[BranchModule]", list(self.branches))


class SpikingNetwork(nn.Module):
    """See `NetworkSpec`; `layers` by name, in order of data flow."""

    def __init__(self, spec: NetworkSpec):
        super().__init__()
        self.spec, self.steps = spec, spec.steps
        stack = spec.stack()
        shapes = layer_shapes(stack.layers, tuple(spec.input_shape))
        self.layers = nn.ModuleDict({layer.name: SpikingLayer(layer, shapes, spec) for layer in stack.layers})
        self.reads = BranchModule(Branch(stack.readout.sources, "identity", pool=stack.readout.pool),
                                  shapes[stack.readout.sources[0]], 0)  # fmt: skip
        size = 1
        for n in pooled_shape(stack.readout, self.reads.shape):
            size *= n
        self.readout = nn.Linear(size, spec.classes)

    @property
    def spiking_layers(self) -> dict[str, SpikingLayer]:
        """`layers`, as the type that they are."""
        return cast("dict[str, SpikingLayer]", dict(self.layers.items()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, classes], averaged over time.

        Args:
            x: [N, C, H, W], shown at each of `steps` steps, or a sequence [T, N, C, H, W].
        """
        return self._run(x, None)

    def logits_per_step(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [T, N, classes] of each step's spikes alone; their mean over time is what forward gives."""
        fired, steps = self._fire(x, None)
        spikes = [fired[source] for source in self.reads.branch.sources]
        logits: torch.Tensor = self.readout(self.reads.pooled(spikes).flatten(1)).unflatten(0, (steps, -1))
        return logits

    def forward_recorded(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, dict[str, torch.Tensor]]]:
        """As forward, and a layer {"spikes": [T, N, ...], "membrane": [T, N, ...] after the reset}."""
        records: Records = {}
        return self._run(x, records), records

    def _run(self, x: torch.Tensor, records: Records | None) -> torch.Tensor:
        fired, steps = self._fire(x, records)
        rates = [fired[source].unflatten(0, (steps, -1)).mean(0) for source in self.reads.branch.sources]
        logits: torch.Tensor = self.readout(self.reads.pooled(rates).flatten(1))
        return logits

    def _fire(self, x: torch.Tensor, records: Records | None) -> tuple[dict[str, torch.Tensor], int]:
        """Spikes [T * N, ...] by layer, and T."""
        still = x.ndim == 4
        steps = self.steps if still else len(x)
        fired = {INPUT: x if still else x.flatten(0, 1)}
        for name, layer in self.spiking_layers.items():
            current = layer.current(fired)
            # a still image gives the same current at each step: it is convolved once
            shown = steps if still and layer.sources == {INPUT} else None
            if shown is None:
                current = current.unflatten(0, (steps, -1))
            held: list[torch.Tensor] = []
            spikes = layer.fire(current, None if records is None else held, shown)
            fired[name] = spikes.flatten(0, 1)
            if records is not None:
                records[name] = {"spikes": spikes, "membrane": torch.stack(held)}
        return fired, steps


def build_network(spec: NetworkSpec) -> SpikingNetwork:
    """A fresh network, randomly initialised."""
    return SpikingNetwork(spec)
