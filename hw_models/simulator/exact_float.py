"""Switches off whatever would make a float32 convolution of integers inexact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """Full float32 products and sums: no autocast, no TF32, no reduced precision, no Winograd or FFT convolutions.

    cuDNN and, where torch has no oneDNN, NNPACK pick Winograd and FFT algorithms by themselves, which round; without
    them, torch convolves by matrix products. On CPU, oneDNN convolves directly. GPU: not measured here.
    """
    precision = torch.get_float32_matmul_precision()
    with ExitStack() as stack:
        stack.callback(torch.set_float32_matmul_precision, precision)
        for kind in {"cpu", device.type}:
            if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        torch.set_float32_matmul_precision("highest")
        with torch.backends.cudnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=False):
            yield
