"""Batch norm over the batches of all processes together; torch's SyncBatchNorm does not run on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Total(torch.autograd.Function):
    """Sum over the processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return _Total.forward(ctx, gradient)


class GlobalBatchNorm(_BatchNorm):
    """In training the mean and variance of the global batch; else as torch's batch norm, whose parameters it has.

    Each process must hold the same number of samples. Gradients flow through the statistics of all processes.
    """

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Any shape [N, C, ...]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, ...] to the same shape."""
        if not self.training:
            return super().forward(x)
        others = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        count = x.numel() // x.shape[1] * dist.get_world_size()
        # the mean first: the difference of E[x^2] and E[x]^2 would cancel digits
        mean: torch.Tensor = _Total.apply(x.sum(others)) / count
        centred = x - mean.view(shape)
        variance: torch.Tensor = _Total.apply(centred.square().sum(others)) / count
        assert self.running_mean is not None and self.running_var is not None  # of a network of ours
        assert self.num_batches_tracked is not None and self.momentum is not None
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        return centred * ((variance + self.eps).rsqrt() * self.weight).view(shape) + self.bias.view(shape)


def make_batch_norms_global(network: nn.Module) -> None:
    """Replaces each batch norm by one that shares its parameters and averages."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                other = GlobalBatchNorm(child.num_features, child.eps, child.momentum)
                other._parameters, other._buffers = child._parameters, child._buffers
                setattr(module, name, other)
