"""The layers that the host computes, for the engine: in C's double, where the order of summation can't matter."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dalif_deploy.hw_models.chip_network.form import Geometry, HostProjection
from dalif_deploy.hw_models.chip_network.geometry import spatial_output
from dalif_deploy.hw_models.samples.input_data import InputData

from .plan import Plan
from .space import Space, space_of
from .synapses import planar

ROUNDING = 2.0**-53  # of a double
# two sums of n products, each off by n + 2 roundings of the sum of the sizes at most, and as much again to be safe
SAFETY = 4


class _Layer(ctypes.Structure):
    """`host_layer` of host.j2."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "in_channels", "in_height", "in_width", "out_channels", "out_height", "out_width", "kernel_height",
            "kernel_width", "stride_y", "stride_x", "padding_y", "padding_x", "dilation_y", "dilation_x", "groups",
        )),
        ("weight", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("input_error", ctypes.c_double),
        ("error", ctypes.c_double),
    ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class HostLayer:
    """One host projection.

    Attributes:
        source, target: in the network.
        sizes: the integers of `host_layer`, in its order.
        weight: float64 [kernel_height, kernel_width, in_channels, out_channels / groups].
        bias: float64 [out_channels].
    """

    source: str
    target: str
    sizes: tuple[int, ...]
    weight: np.ndarray
    bias: np.ndarray

    @property
    def source_size(self) -> int:
        """Values of a sample."""
        return math.prod(self.sizes[:3])

    def structure(self) -> _Layer:
        """For C; valid while this object is."""
        products = self.weight[..., 0].size + 4
        sizes = np.abs(self.weight).sum(axis=(0, 1, 2)).max(initial=0.0)
        each = SAFETY * products * ROUNDING
        pointers = self.weight.ctypes.data, self.bias.ctypes.data
        return _Layer(*self.sizes, *pointers, each * sizes, each * np.abs(self.bias).max(initial=0.0))


def host_layers(plan: Plan) -> list[HostLayer]:
    """All of them; empty where C can't compute what enters every layer whose bias comes from outside."""
    network = plan.network
    spaces = {layer.name: layer.space for layer in plan.layers if layer.bias is None}
    hosts = list(network.host_projections.values())
    if not plan.fast or {host.target for host in hosts} != spaces.keys():
        return []
    found = [_host_layer(host, network.inputs[host.source].shape, spaces[host.target]) for host in hosts]
    return [each for each in found if each is not None] if all(found) else []


def _host_layer(host: HostProjection, shape: tuple[int, ...], target: Space) -> HostLayer | None:
    if host.geometry is None:
        # a row of targets for each source, in the order of the target's memory: one place, as large a kernel
        size = math.prod(shape)
        weight = host.weight.reshape(target.size, size)[target.order].T.reshape(1, size, 1, target.size)
        geometry, source, out = Geometry((1, 1), (0, 0), (1, 1)), Space(1, 1, size), Space(target.size, 1, 1)
        bias = np.broadcast_to(host.bias, (target.size,))[target.order]
        kernel = (1, size)
    else:
        geometry, source = planar(host.geometry), space_of(shape)
        out = space_of((len(host.weight), *spatial_output(shape[1:], host.weight.shape[2:], host.geometry)))
        if out != target:  # its neurons lie in another order
            return None
        four = host.weight if host.weight.ndim == 4 else host.weight[:, :, None, :]
        kernel = four.shape[2:]
        groups = geometry.groups
        # [group, out, in, y, x] -> [y, x, group and in, out]
        rows = four.reshape(groups, len(four) // groups, *four.shape[1:]).transpose(3, 4, 0, 2, 1)
        weight = rows.reshape(*kernel, source.channels, len(four) // groups)
        bias = np.broadcast_to(host.bias, (out.channels,))
    sizes = (
        *(source.channels, source.height, source.width, out.channels, out.height, out.width, *kernel),
        *(*geometry.stride, *geometry.padding, *geometry.dilation, geometry.groups),
    )
    double = (np.array(values, dtype=np.float64, order="C") for values in (weight, bias))
    return HostLayer(host.source, host.target, sizes, *double)


@dataclass
class HostData:
    """What enters the host's layers in a run, and which samples C left out: nothing of theirs is recorded.

    Attributes:
        inputs: float64 [samples, values], of each layer.
        left_out: uint8 [samples].
    """

    inputs: list[np.ndarray]
    left_out: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.left_out = np.zeros(len(self.inputs[0]), np.uint8)

    @staticmethod
    def of(data: InputData, layers: list[HostLayer]) -> HostData:
        """Samples as `encode_input` takes them."""
        by_name = data if isinstance(data, Mapping) else {layer.source: data for layer in layers}
        return HostData([np.ascontiguousarray(by_name[layer.source], np.float64) for layer in layers])
