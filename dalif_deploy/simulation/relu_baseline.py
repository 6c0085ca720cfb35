"""A ReLU network of `dalif-train --neuron relu` in 8 bits: its accuracy and its multiply-accumulates on given samples.

Batch norm goes into the weights. These have 8 bits, one scale an output channel; activations have 8 bits, one scale a
layer, from their largest value over the samples. Sums are exact: both factors are whole numbers times a scale.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.chip_network.form import Geometry
from dalif_deploy.hw_models.energy.fan_out import dense_macs, fan_out
from dalif_deploy.hw_models.energy.figures import OverSamples
from dalif_deploy.hw_models.energy.opponents.equal_accuracy import Baseline8Bit
from dalif_deploy.hw_models.energy.opponents.memory_accounting import DenseLayer
from dalif_deploy.hw_models.errors import UserError

if TYPE_CHECKING:
    from dalif_deploy.networks import SpikingNetwork
    from dalif_deploy.networks.spiking_network import BranchModule

BATCH = 256
WEIGHT_LEVELS, ACTIVATION_LEVELS = 127, 255


def relu_baseline(path: Path, inputs: np.ndarray, labels: np.ndarray) -> Baseline8Bit:
    """Accuracy and counts of the network of a checkpoint.

    Args:
        inputs: [N, C, H, W].
        labels: [N].

    Raises:
        UserError: no checkpoint, or not of a ReLU network, or of other samples.
    """
    from dalif_deploy.networks.checkpoint import load_checkpoint

    network = load_checkpoint(path).network
    if network.spec.neuron.kind != "relu":
        raise UserError("is no ReLU network", where=str(path), remedy="train one: dalif-train --neuron relu")
    if inputs.shape[1:] != tuple(network.spec.input_shape):
        raise UserError(
            f"takes samples of {tuple(network.spec.input_shape)}, these are {inputs.shape[1:]}", where=str(path)
        )
    network.eval()
    exact = _accuracy(network, inputs, labels)
    small = _without_batch_norm(network)
    layers = [m for m in small.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers:
        layer.weight.data = _levels(layer.weight.data, WEIGHT_LEVELS)
    watched = [_Watched(layer) for layer in layers]
    _accuracy(small, inputs, labels)  # scales of the activations
    for one in watched:
        one.rounding = True
    accuracy = _accuracy(small, inputs, labels)
    return Baseline8Bit(
        file=path.name,
        accuracy=accuracy,
        accuracy_float=exact,
        macs=sum(one.dense() for one in watched),
        macs_with_input=OverSamples.of(np.sum([np.concatenate(one.counted) for one in watched], axis=0)),
        layers=[one.figures() for one in watched],
    )


class _Watched:
    """A layer's input: its largest value at first, then rounded to 8 bits and counted."""

    def __init__(self, layer: nn.Conv2d | nn.Linear):
        self.layer, self.rounding, self.largest = layer, False, 0.0
        self.shape: tuple[int, ...] = ()
        self.written = 0
        self.counted: list[np.ndarray] = []
        self._fan: torch.Tensor | None = None
        layer.register_forward_pre_hook(self._seen)
        layer.register_forward_hook(self._wrote)

    def _seen(self, _: nn.Module, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        (x,) = given
        self.shape = tuple(x.shape[1:])
        if not self.rounding:
            self.largest = max(self.largest, float(x.abs().max()))
            return given
        scale = self.largest / ACTIVATION_LEVELS or 1.0
        rounded = (x / scale).round().clamp(-ACTIVATION_LEVELS, ACTIVATION_LEVELS) * scale
        if self._fan is None:
            present = np.ones(self.layer.weight.shape, dtype=bool)
            self._fan = torch.from_numpy(fan_out(present, self._geometry(), self.shape))
        self.counted.append(((rounded != 0) * self._fan).flatten(1).sum(1).numpy())
        return (rounded,)

    def _wrote(self, _: nn.Module, given: tuple[torch.Tensor], out: torch.Tensor) -> None:
        self.written = out[0].numel()

    def dense(self) -> int:
        """MACs of one pass."""
        return dense_macs(self.layer.weight.detach().numpy(), self._geometry(), self.shape)

    def figures(self) -> DenseLayer:
        """What one pass needs, for memory_accounting.py."""
        weight = self.layer.weight
        taps = weight[0, 0].numel() if isinstance(self.layer, nn.Conv2d) else 0
        return DenseLayer(
            inputs=int(np.prod(self.shape)),
            outputs=self.written,
            weights=weight.numel(),
            biases=0 if self.layer.bias is None else self.layer.bias.numel(),
            kernel_steps=len(weight) * taps,
            macs=self.dense(),
        )

    def _geometry(self) -> Geometry | None:
        if isinstance(self.layer, nn.Linear):
            return None
        stride, padding, dilation = self.layer.stride, self.layer.padding, self.layer.dilation
        return Geometry(tuple(stride), tuple(int(p) for p in padding), tuple(dilation), self.layer.groups)


def _without_batch_norm(network: SpikingNetwork) -> SpikingNetwork:
    small = copy.deepcopy(network)
    for layer in small.spiking_layers.values():
        for branch in cast("list[BranchModule]", list(layer.branches)):
            linear, norm = branch.linear, branch.norm
            if isinstance(linear, nn.Conv2d | nn.Linear) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                assert norm.running_var is not None and norm.running_mean is not None
                gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                linear.weight.data *= gain.detach().view(-1, *[1] * (linear.weight.ndim - 1))
                before = 0 if linear.bias is None else linear.bias
                linear.bias = nn.Parameter(((before - norm.running_mean) * gain + norm.bias).detach())
                branch.norm = None
    return small


def _levels(weight: torch.Tensor, levels: int) -> torch.Tensor:
    """Rounded to whole levels of each output channel's largest weight."""
    largest = weight.abs().flatten(1).amax(1).clamp_min(1e-12).view(-1, *[1] * (weight.ndim - 1))
    return (weight * levels / largest).round() * largest / levels


def _accuracy(network: nn.Module, inputs: np.ndarray, labels: np.ndarray) -> float:
    right = 0
    with torch.no_grad():
        for start in range(0, len(inputs), BATCH):
            x = torch.from_numpy(np.ascontiguousarray(inputs[start : start + BATCH])).float()
            right += int((network(x).argmax(1).numpy() == labels[start : start + BATCH]).sum())
    return right / len(inputs)
