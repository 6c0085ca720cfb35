"""Reads lava-dl's .net files into the integers that netx would run: nothing is quantised again.

Layout: see `converters.netx.write`. As in netx, `flatten` only says that the next dense layer sees its source channels
first, and delays above 62 steps count as 62. Neurons of one layer may have delays of their own: their synapses then
come as one projection for each delay.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from converters.netx.layers import BIAS_EXP
from hw_models.chip_network import (
    NO_CURRENT_FILTER,
    VTH_MAX,
    ChipInput,
    ChipNetwork,
    ChipOutput,
    Geometry,
    Population,
    Projection,
)
from hw_models.errors import UserError
from hw_models.linear_operator import spatial_output

MOST_NEURONS = 1 << 26
MOST_DELAY = 62  # netx clips


def read_net(path: Path) -> ChipNetwork:
    """The network of a .net file, for loihi2; its samples have one step, until somebody says how many.

    Raises:
        UserError: a damaged file, or what this project does not know: the layer and its type.
    """
    try:
        with h5py.File(path, "r") as file:
            layers = [file[f"layer/{n}"] for n in range(len(file["layer"]))]
            return _Reader().read(layers)
    except (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"not a readable .net file ({text})", where=str(path), remedy="write it again") from error


class _Reader:
    def __init__(self):
        self.shape: tuple[int, ...] | None = None
        self.source = "input"
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}

    def read(self, layers: list[h5py.Group]) -> ChipNetwork:
        for index, layer in enumerate(layers):
            kind = _text(layer["type"])
            name = f"layer{index}.{kind}"
            if kind == "input":
                if "neuron" in layer:
                    raise UserError(
                        "an input layer with neurons of its own", where=name, remedy="export it without them"
                    )
                self.shape = _shape(layer)
            elif kind == "dense":
                self._dense(name, layer)
            elif kind in ("conv", "pool"):
                self._conv(name, layer, pool=kind == "pool")
            elif kind == "average" and index == len(layers) - 1:
                break  # means over groups of outputs, which netx leaves to whoever reads them
            elif kind != "flatten":
                raise UserError(
                    f"unknown type of layer {kind!r}", where=name, remedy="known are input, dense, conv, pool, flatten"
                )
        if not self.populations:
            raise ValueError("no layer of neurons")
        last = list(self.populations)[-1]
        mode = "count" if self.populations[last].fires else "membrane"
        return ChipNetwork(
            "loihi2",
            1,
            {"input": ChipInput("input", self.input_shape, "spikes")},
            self.populations,
            self.projections,
            {},
            {"output": ChipOutput("output", last, mode)},
        )

    def _dense(self, name: str, layer: h5py.Group) -> None:
        size = int(np.prod(_shape(layer)))
        weight = np.asarray(layer["weight"]).reshape(size, -1)
        if self.shape is None:
            self.shape = (weight.shape[1],)
        if weight.shape[1] != int(np.prod(self.shape)):
            raise UserError(f"weight of shape {list(weight.shape)} on a source of {list(self.shape)}", where=name)
        self._add(name, layer, (size,), weight, None)

    def _conv(self, name: str, layer: h5py.Group, *, pool: bool) -> None:
        if self.shape is None or len(self.shape) != 3:
            raise UserError("the shape of its input is not in the file", where=name, remedy="add an input layer")
        weight = np.asarray(layer["weight"])
        weight = weight.reshape(weight.shape[:4])
        groups = self.shape[0] if pool else int(layer["groups"][()])
        if pool:  # SLAYER has one kernel, over each channel alone; netx can't run it
            weight = np.repeat(weight, groups, axis=0)
        stride, padding, dilation = (_pair(layer[key]) for key in ("stride", "padding", "dilation"))
        geometry = Geometry(stride, padding, dilation, groups)
        shape = (len(weight), *spatial_output(self.shape[1:], weight.shape[2:], geometry))
        if shape != _shape(layer):
            raise UserError(f"gives {list(shape)}, its shape says {list(_shape(layer))}", where=name)
        self._add(name, layer, shape, weight, geometry)

    def _add(self, name: str, layer: h5py.Group, shape: tuple[int, ...], weight: np.ndarray, geometry) -> None:
        weight = weight.astype(np.int64)
        if weight.size and (weight.min() < -256 or weight.max() > 255):
            raise UserError(f"weights of {weight.min()}..{weight.max()}, netx clips them", where=name,
                            remedy="quantise to -256..254")  # fmt: skip
        if int(np.prod(shape)) > MOST_NEURONS:
            raise UserError(f"{int(np.prod(shape)):,} neurons", where=name, remedy="take a smaller network")
        if not self.populations:
            self.input_shape = self.shape
        bias = np.asarray(layer["bias"]) if "bias" in layer else np.zeros(1)
        if bias.size == shape[0] or bias.size == 1:
            bias = bias.reshape(-1, *[1] * (len(shape) - 1))
        elif bias.shape == shape[::-1]:
            bias = bias.T
        else:
            raise UserError(f"bias of shape {list(bias.shape)} for neurons of {list(shape)}", where=name)
        bias = bias.astype(np.int64)
        registers = self._neuron(name, layer)
        self.populations[name] = Population(
            name,
            shape,
            bias_mant=bias,
            bias_exp=np.array(BIAS_EXP),
            reset="zero",
            scale=np.array(1.0),
            **registers,
        )
        delays = _delays(name, layer, len(weight))
        for delay in np.unique(delays).tolist():
            label = f"{name}.weight" if delays.min() == delays.max() else f"{name}.weight.late{delay}"
            rows = (delays == delay).reshape(-1, *[1] * (weight.ndim - 1))
            own = np.where(rows, weight, 0).astype(np.int16)
            self.projections[label] = Projection(label, self.source, name, own, 0, geometry, delay)
        self.source, self.shape = name, shape

    def _neuron(self, name: str, layer: h5py.Group) -> dict[str, Any]:
        if "neuron" not in layer:
            raise UserError("no neuron: netx would keep its current for ever", where=name, remedy="give it a neuron")
        neuron = layer["neuron"]
        kind = _text(neuron["type"])
        if kind not in ("LOIHI", "CUBA"):
            raise UserError(f"neurons of type {kind}", where=name, remedy="known are LOIHI and CUBA")
        if "gradedSpike" in neuron and bool(np.any(neuron["gradedSpike"])):
            raise UserError("graded spikes", where=name, remedy="known are binary ones")
        if "refDelay" in neuron and int(np.max(neuron["refDelay"])) > 1:
            raise UserError(
                "a refractory delay, which Lava's neurons have not either", where=name, remedy="train without"
            )
        du, dv, vth = (int(np.max(neuron[key])) for key in ("iDecay", "vDecay", "vThMant"))
        du -= 1
        if not (0 <= du <= NO_CURRENT_FILTER and 0 <= dv <= 4095 and 0 <= vth <= VTH_MAX):
            raise UserError(f"registers iDecay {du + 1}, vDecay {dv}, vThMant {vth}", where=name,
                            remedy="decays are 1..4096 and 0..4095, thresholds up to 131071")  # fmt: skip
        # a threshold at its register's end is how this project writes an integrator
        return {"du": np.array(du), "dv": np.array(dv), "vth": np.array(vth), "fires": vth < VTH_MAX}


def _text(dataset: h5py.Dataset) -> str:
    value = np.ravel(dataset[()])[0]
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def _shape(layer: h5py.Group) -> tuple[int, ...]:
    return tuple(int(n) for n in np.ravel(layer["shape"][()]))


def _pair(dataset: h5py.Dataset) -> tuple[int, int]:
    values = [int(n) for n in np.ravel(dataset[()])]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def _delays(name: str, layer: h5py.Group, targets: int) -> np.ndarray:
    """Delay of the synapses of each target neuron (of each channel's, in a convolution), int64 [targets]."""
    if "delay" not in layer:
        return np.zeros(targets, dtype=np.int64)
    delays = np.clip(np.ravel(layer["delay"][()]).astype(np.int64), 0, MOST_DELAY)
    if delays.size not in (1, targets) or (_text(layer["type"]) != "dense" and delays.any()):
        # netx ignores delays of convolutions, and spreads others over sources where that is how many there are
        raise UserError(f"{delays.size} delays for {targets} neurons", where=name, remedy="give one, or one a neuron")
    return np.broadcast_to(delays, (targets,))
