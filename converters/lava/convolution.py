"""Lava's convolution, with room for its numbers. Apart from the rest, because it brings in scipy.signal (a second)."""

from __future__ import annotations

import numpy as np
from lava.magma.core.model.py.type import LavaPyType
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv

from dalif_deploy.hw_models.chip_network.form import Projection

from .layout import lava_geometry, lava_kernel


class WideConvModel(PyConvModelFixed):
    """Lava's fixed-point Conv with wider types.

    Its own int8 for the number of groups overflows at 128. Its sums go from float to the weights' own type before they
    wrap at 24 bits, and a sum beyond that type is lost.
    """

    weight: np.ndarray = LavaPyType(np.ndarray, np.int64)
    kernel_size: np.ndarray = LavaPyType(np.ndarray, np.int32)
    stride: np.ndarray = LavaPyType(np.ndarray, np.int32)
    padding: np.ndarray = LavaPyType(np.ndarray, np.int32)
    dilation: np.ndarray = LavaPyType(np.ndarray, np.int32)
    groups: np.ndarray = LavaPyType(np.ndarray, np.int32)


def lava_convolution(projection: Projection, input_shape: tuple[int, ...], message_bits: int) -> Conv:
    """The Conv process of a projection; `input_shape` is Lava's (W, H, C)."""
    assert projection.geometry is not None
    return Conv(
        # Lava's fixed-point Conv ignores weight_exp
        weight=lava_kernel(projection.weight) << projection.weight_exp,
        input_shape=input_shape,
        groups=projection.geometry.groups,
        num_message_bits=message_bits,
        name=projection.name,
        **lava_geometry(projection.geometry),
    )
