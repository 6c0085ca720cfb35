"""Channels last where that is safe: a CPU's convolutions are faster by up to a half that way, backward above all."""

from __future__ import annotations

import torch
from torch import nn

VECTOR = 16  # channels that oneDNN takes at a time


def use_channels_last(network: nn.Module) -> bool:
    """Lays the network's convolutions out channels last, all or none; whether it did.

    torch 2.14's backward pass writes beyond its memory for channels-last images in convolutions with a kernel of 1, a
    stride of 2 and few channels (8 to 16, say). So a network with such a convolution, or with a number of channels that
    is no multiple of 16, stays as it is; so does, in any network, a first layer that sees a few channels of an image.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    inner = [conv for conv in convolutions if conv.in_channels >= VECTOR]
    safe = all(conv.in_channels % VECTOR == 0 and not _skips(conv) for conv in inner)
    safe &= all(conv.out_channels % VECTOR == 0 for conv in convolutions)
    if not safe or len(convolutions) - len(inner) > 1:
        return False
    for conv in inner:
        conv.to(memory_format=torch.channels_last)
    return True


def _skips(conv: nn.Conv2d) -> bool:
    return conv.kernel_size == (1, 1) and conv.stride != (1, 1)
