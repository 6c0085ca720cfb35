"""The whole graph as one torch module whose neurons are Norse's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nir
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.conv_geometry import read_convolution
from dalif_deploy.hw_models.graph.flat_graph import FlatGraph, flatten_graph
from dalif_deploy.hw_models.graph.graph_step import GraphStep
from dalif_deploy.hw_models.reference.linear_map import linear_map

from ..artefact import load_artefact
from .cells import NorseCell


def require_norse() -> None:
    """Raises UserError if Norse is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # Norse 1.1 uses torch.jit
            import norse.torch  # noqa: F401
    except ImportError as error:
        raise UserError(f"needs Norse ({error})", remedy="pip install 'norse>=1.1'") from error


class NorseNetwork(nn.Module):
    """Weights are torch layers, neurons Norse cells (`cells`, by node name), wired as in the graph.

    Args:
        graph: NIR, of the LIF family.
        dt: time step in seconds.

    Raises:
        UserError: Norse is missing, or has no such neuron.
    """

    def __init__(self, graph: nir.NIRGraph | FlatGraph, dt: float, dtype: torch.dtype = torch.float64):
        super().__init__()
        require_norse()
        self.flat = graph if isinstance(graph, FlatGraph) else flatten_graph(graph)
        self.dt, self.dtype = dt, dtype
        nodes = self.flat.nodes
        # torch allows no dots in the names of modules
        self._slot = {name: name.replace(".", "/") for name in nodes}
        self.cells = nn.ModuleDict(
            {self._slot[n]: NorseCell(n, node, dt, dtype) for n, node in nodes.items() if self.flat.is_neuron(n)}
        )
        self.weights = nn.ModuleDict(
            {self._slot[n]: _layer(n, node, dtype) for n, node in nodes.items() if hasattr(node, "weight")}
        )

    def forward(self, x: torch.Tensor | dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Value of every Output node at each step, [T, N, *shape], for x [T, N, *shape]; a dict for several inputs."""
        return self.run(x)[0]

    def run(self, x: torch.Tensor | dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], ...]:
        """(outputs, spikes, membranes after the reset), each node -> [T, N, *shape]."""
        inputs = x if isinstance(x, dict) else {self.flat.inputs[0]: x}
        if sorted(inputs) != self.flat.inputs:
            raise ValueError(f"inputs {sorted(inputs)}, expected {self.flat.inputs}")
        steps, samples = next(iter(inputs.values())).shape[:2]
        neurons = [name for name in self.flat.nodes if self._slot[name] in self.cells]
        state = {name: self._cell(name).rest(samples, self.flat.shapes[name]) for name in neurons}
        plain = {
            name: linear_map(name, self.flat, self.dt, self.dtype)
            for name in self.flat.nodes
            if name not in state and self._slot[name] not in self.weights
        }

        def compute(name: str, total: torch.Tensor) -> torch.Tensor:
            if name in state:
                out, state[name] = self._cell(name).step(total, state[name])
                return out
            if name in plain:
                return plain[name](total)
            weighted: torch.Tensor = self.weights[self._slot[name]](total)
            return weighted

        graph_step = GraphStep(
            self.flat, lambda source: torch.zeros(samples, *self.flat.shapes[source], dtype=self.dtype)
        )
        spiking = self.flat.spiking
        outputs, spikes, membrane = (_lists(names) for names in (self.flat.outputs, spiking, neurons))
        for t in range(steps):
            value = graph_step({name: array[t].to(self.dtype) for name, array in inputs.items()}, compute)
            for kept in (outputs, spikes):
                for name, each in kept.items():
                    each.append(value[name])
            for name, each in membrane.items():
                each.append(state[name][-1])
        return tuple({name: torch.stack(each) for name, each in kept.items()} for kept in (outputs, spikes, membrane))

    def _cell(self, name: str) -> NorseCell:
        cell = self.cells[self._slot[name]]
        assert isinstance(cell, NorseCell)
        return cell


def _lists(names: list[str]) -> dict[str, list[torch.Tensor]]:
    return {name: [] for name in names}


def load_norse(folder: str | Path, dtype: torch.dtype = torch.float32) -> NorseNetwork:
    """The network of an exported folder, to simulate or to train on."""
    artefact = load_artefact(folder)
    return NorseNetwork(artefact.reference, artefact.dt, dtype)


def _layer(name: str, node: nir.NIRNode, dtype: torch.dtype) -> nn.Module:
    bias = getattr(node, "bias", None)
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        kernel, geometry = read_convolution(name, node)
        kind: Any = nn.Conv1d if kernel.ndim == 3 else nn.Conv2d
        layer: Any = kind(
            kernel.shape[1] * geometry.groups, kernel.shape[0], kernel.shape[2:], geometry.stride,
            geometry.padding, geometry.dilation, geometry.groups, bias=bias is not None,
        )  # fmt: skip
    else:
        kernel = node.weight
        layer = _FlatLinear(kernel.shape[1], kernel.shape[0], bias=bias is not None)
    layer = layer.to(dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(kernel))
        if bias is not None:
            layer.bias.copy_(torch.as_tensor(bias))
    made: nn.Module = layer
    return made


class _FlatLinear(nn.Linear):
    """NIR's dense nodes take an image as they take a vector."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.flatten(1))
