"""Reads lava-dl's .net files into the integers that netx would run: nothing is quantised again.

Layout: see `write`. As in netx, `flatten` only says that the next dense layer sees its source channels
first, and delays above 62 steps count as 62. Synapses of different delay come as one projection for each delay. An
input layer with neurons takes its data as their bias, weight * x + bias, which is how netx is fed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dalif_deploy.hw_models.chip_network.form import (
    BIAS_MANT_MAX,
    BIAS_MANT_MIN,
    VTH_MAX,
    ChipInput,
    ChipNetwork,
    ChipOutput,
    Geometry,
    HostProjection,
    Population,
    Projection,
)
from dalif_deploy.hw_models.chip_network.geometry import check_geometry, spatial_output
from dalif_deploy.hw_models.chip_network.size import check_size
from dalif_deploy.hw_models.chips.names import DEFAULT_CHIP
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line
from dalif_deploy.hw_models.files.hdf5_read import check_hdf5

from .dense_synapses import check_weights, split_by_delay
from .layer_chain import BIAS_EXP, BIAS_STEP
from .read_neuron import integrator, read_neuron, text_of

INPUT_WEIGHT = 64  # netx, where the file has none


def read_net(path: Path) -> ChipNetwork:
    """The network of a .net file, for the default chip; its samples have one step, until somebody says how many.

    Raises:
        UserError: a damaged file, or what this project does not know: the layer and its type.
    """
    with damage_in_one_line("not a readable .net file", where=path, remedy="write it again"):
        check_hdf5(path)
        with h5py.File(path, "r") as file:
            layers = [file[f"layer/{n}"] for n in range(len(file["layer"]))]
            return _Reader().read(layers)


class _Reader:
    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None
        self.input: ChipInput | None = None
        self.source = "input"
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}
        self.hosts: dict[str, HostProjection] = {}

    def read(self, layers: list[h5py.Group]) -> ChipNetwork:
        for index, layer in enumerate(layers):
            kind = text_of(layer["type"])
            name = f"layer{index}.{kind}"
            if kind == "input":
                self.shape = _shape(layer)
                if "neuron" in layer:
                    self._input_neurons(name, layer)
            elif kind == "dense":
                self._dense(name, layer)
            elif kind in ("conv", "pool"):
                self._conv(name, layer, pool=kind == "pool")
            elif kind == "average" and index == len(layers) - 1:
                break  # means over groups of outputs, which netx leaves to whoever reads them
            elif kind != "flatten":
                raise UserError(
                    f"unknown type of layer {kind!r}",
                    where=name,
                    remedy="supported are input, dense, conv, pool and flatten",
                )
        if not self.projections:
            raise ValueError("no layer of neurons after the input")
        assert self.input is not None  # set with the first projection
        *before, last = self.populations.values()
        for population in before:
            if not population.fires:
                raise UserError("never fires, yet drives a layer", where=population.name, remedy="lower its threshold")
        # a threshold at its register's end is how this project writes an integrator
        last.fires = last.fires and int(last.vth.max()) < VTH_MAX
        output = ChipOutput("output", last.name, "count" if last.fires else "membrane")
        return ChipNetwork(
            DEFAULT_CHIP, 1, {"input": self.input}, self.populations, self.projections, self.hosts, {"output": output}
        )

    def _input_neurons(self, name: str, layer: h5py.Group) -> None:
        """Each neuron's bias is its own pixel's, so the host's layer is the identity."""
        if self.populations or not self.shape:
            raise ValueError("an input layer in the middle")
        shape = self.shape
        registers = read_neuron(name, layer["neuron"], shape)
        weight, bias = (int(np.ravel(layer[key][()]).item()) if key in layer else default
                        for key, default in (("weight", INPUT_WEIGHT), ("bias", 0)))  # fmt: skip
        size = _size(name, shape)
        geometry: Geometry | None = None
        host_weight: np.ndarray
        if len(shape) == 3:
            geometry = Geometry((1, 1), (0, 0), (1, 1), shape[0])
            host_weight = np.ones((shape[0], 1, 1, 1))
        else:
            _size(name, (size, size))
            host_weight = np.eye(size)
        label = f"{name}.bias"
        host_bias = np.full(len(host_weight), float(bias * BIAS_STEP))
        self.hosts[label] = HostProjection(label, "input", name, host_weight * weight * BIAS_STEP, host_bias, geometry)
        self.input = ChipInput("input", shape, "bias")
        zero = np.array(0)
        self.populations[name] = Population(name, shape, bias_mant=zero, bias_exp=zero, **registers)
        self.source = name

    def _dense(self, name: str, layer: h5py.Group) -> None:
        if isinstance(layer["weight"], h5py.Group):
            raise UserError("complex weights", where=name, remedy="only real ones are supported")
        size = int(np.prod(_shape(layer)))
        weight = _integers(name, np.asarray(layer["weight"]).reshape(size, -1))
        if self.shape is None:
            self.shape = (weight.shape[1],)
        if weight.shape[1] != int(np.prod(self.shape)):
            raise UserError(f"weight of shape {list(weight.shape)} on a source of {list(self.shape)}", where=name)
        check_weights(name, weight)
        delays = np.asarray(layer["delay"]) if "delay" in layer else np.zeros(1)
        self._add(name, layer, (size,), split_by_delay(name, weight, delays), None)

    def _conv(self, name: str, layer: h5py.Group, *, pool: bool) -> None:
        if self.shape is None or len(self.shape) != 3:
            raise UserError("the shape of its input is not in the file", where=name, remedy="add an input layer")
        if "delay" in layer and np.any(layer["delay"]):
            raise UserError("delays, which netx leaves out in a convolution", where=name, remedy="train without")
        weight = _integers(name, np.asarray(layer["weight"]))
        weight = weight.reshape(weight.shape[:4])
        groups = self.shape[0] if pool else int(layer["groups"][()])
        if pool:  # SLAYER has one kernel, over each channel alone; netx can't run it
            weight = np.repeat(weight, groups, axis=0)
        stride, padding, dilation = (_pair(layer[key]) for key in ("stride", "padding", "dilation"))
        geometry = Geometry(stride, padding, dilation, groups)
        check_geometry(geometry, 2, where=name)
        if weight.ndim != 4 or len(weight) % groups or weight.shape[1] * groups != self.shape[0]:
            raise UserError(f"weight of shape {list(weight.shape)} on a source of {list(self.shape)}", where=name)
        shape = (len(weight), *spatial_output(self.shape[1:], weight.shape[2:], geometry))
        if shape != _shape(layer):
            raise UserError(f"gives {list(shape)}, its shape says {list(_shape(layer))}", where=name)
        self._add(name, layer, shape, [(0, weight)], geometry)

    def _add(
        self, name: str, layer: h5py.Group, shape: tuple[int, ...], parts: list[tuple[int, np.ndarray]], geometry: Any
    ) -> None:
        _size(name, shape)
        if self.input is None:
            if self.shape is None:
                raise ValueError("a layer before the input")
            self.input = ChipInput("input", self.shape, "spikes")
        bias = _bias(name, layer, shape)
        if "neuron" in layer:
            registers = read_neuron(name, layer["neuron"], shape)
        elif bias.any():
            raise UserError("a bias without neurons, which netx adds once only", where=name, remedy="give it neurons")
        else:
            registers = integrator()
        self.populations[name] = Population(name, shape, bias_mant=bias, bias_exp=np.array(BIAS_EXP), **registers)
        for delay, weight in parts:
            label = f"{name}.weight" if len(parts) == 1 else f"{name}.weight.late{delay}"
            self.projections[label] = Projection(label, self.source, name, weight, 0, geometry, delay)
        self.source, self.shape = name, shape


def _integers(name: str, weight: np.ndarray) -> np.ndarray:
    whole = weight.astype(np.int64)
    if whole.size and (whole.min() < -256 or whole.max() > 255):
        raise UserError(f"weights of {whole.min()}..{whole.max()}", where=name, remedy="quantise to -256..254")
    return whole.astype(np.int16)


def _bias(name: str, layer: h5py.Group, shape: tuple[int, ...]) -> np.ndarray:
    bias = np.asarray(layer["bias"]) if "bias" in layer else np.zeros(1)
    if bias.size == shape[0] or bias.size == 1:
        bias = bias.reshape(-1, *[1] * (len(shape) - 1))
    elif bias.shape == shape[::-1]:
        bias = bias.T
    else:
        raise UserError(f"bias of shape {list(bias.shape)} for neurons of {list(shape)}", where=name)
    bias = bias.astype(np.int64)
    if bias.min() < BIAS_MANT_MIN or bias.max() > BIAS_MANT_MAX:
        raise UserError(
            f"biases of {bias.min()}..{bias.max()}", where=name, remedy=f"they are {BIAS_MANT_MIN}..{BIAS_MANT_MAX}"
        )
    return bias


def _size(name: str, shape: tuple[int, ...]) -> int:
    return check_size([shape], where=name)


def _shape(layer: h5py.Group) -> tuple[int, ...]:
    return tuple(int(n) for n in np.ravel(layer["shape"][()]))


def _pair(dataset: h5py.Dataset) -> tuple[int, int]:
    values = [int(n) for n in np.ravel(dataset[()])]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])
