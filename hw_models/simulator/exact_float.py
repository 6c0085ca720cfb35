"""Switches off whatever would make a float32 convolution of integers inexact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_float32() -> Iterator[None]:
    """Full float32 products and sums: no TF32, no reduced precision, no Winograd or FFT convolutions.

    cuDNN and, where torch has no oneDNN, NNPACK pick Winograd and FFT algorithms by themselves, which round; without
    them, torch convolves by matrix products. On CPU, oneDNN convolves directly. GPU: not measured here.
    """
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
