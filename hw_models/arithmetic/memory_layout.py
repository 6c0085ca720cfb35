"""How neurons lie in memory: images channels last on the CPU, where convolutions are a third faster that way."""

from __future__ import annotations

import torch


def channels_last(shape: tuple[int, ...], device: torch.device) -> bool:
    """True for images [C, H, W] on the CPU. Without cuDNN, a GPU convolves plain arrays."""
    return len(shape) == 3 and device.type == "cpu"


def neuron_zeros(leading: tuple[int, ...], shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """float32 zeros [*leading, *shape], laid out as above."""
    if not channels_last(shape, device):
        return torch.zeros((*leading, *shape), device=device)
    channels, *size = shape
    return torch.zeros((*leading, *size, channels), device=device).movedim(-1, -3)


def laid_out(array: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """The values of [*leading, *shape], or of what broadcasts against it, laid out as above."""
    if not channels_last(shape, array.device) or array.ndim < len(shape):
        return array.contiguous()
    return array.movedim(-3, -1).contiguous().movedim(-1, -3)


def as_neurons(flat: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """[B, neurons], the neurons in memory's order, to [B, *shape] without a copy."""
    if not channels_last(shape, flat.device):
        return flat.reshape(-1, *shape)
    channels, *size = shape
    return flat.reshape(-1, *size, channels).movedim(-1, -3)


def flattened(neurons: torch.Tensor) -> torch.Tensor:
    """[B, *shape] to [B, neurons] in memory's order, without a copy."""
    return (neurons.movedim(1, -1) if channels_last(neurons.shape[1:], neurons.device) else neurons).flatten(1)
