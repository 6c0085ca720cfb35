"""Integrate-and-fire layers, one behind the other, as a ChipNetwork of Loihi 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dalif_deploy.hw_models.chip_network.form import (
    NO_CURRENT_FILTER,
    ChipInput,
    ChipNetwork,
    Geometry,
    Population,
    Projection,
    encode_bias,
)
from dalif_deploy.hw_models.samples.recording import EncodedInput


@dataclass
class Layer:
    """Synapses and the neurons behind them.

    Attributes:
        weight: as `Projection.weight`.
        vth: threshold mantissa.
        bias: input of each step, in the membrane's integers; broadcasts against the layer.
        stride: of a convolution without padding; None: dense.
    """

    weight: np.ndarray
    vth: int
    bias: np.ndarray | int = 0
    stride: int | None = None
    du: int = NO_CURRENT_FILTER
    dv: int = 0
    delay: int = 0


def population(name: str, shape: tuple[int, ...], layer: Layer) -> Population:
    """Neurons of one layer."""
    mantissa, exponent = encode_bias(np.asarray(layer.bias))
    registers = (np.array(layer.du), np.array(layer.dv), np.array(layer.vth), mantissa, exponent)
    return Population(name, shape, *registers)


def stack(
    steps: int, shape: tuple[int, ...], layers: list[Layer], *, input_neurons: Layer | None = None
) -> ChipNetwork:
    """The layers in a row, behind spikes from outside or behind neurons that a sample's bias drives."""
    network = ChipNetwork("loihi1", steps, {}, {}, {}, {}, {})
    source = "input"
    if input_neurons is None:
        network.inputs["input"] = ChipInput("input", shape, "spikes")
    else:
        network.populations["input"] = population("input", shape, input_neurons)
    for number, layer in enumerate(layers, 1):
        name = f"layer{number}"
        geometry = None
        if layer.stride is None:
            shape = (layer.weight.shape[0],)
        else:
            kernel = layer.weight.shape[2]
            side = tuple((size - kernel) // layer.stride + 1 for size in shape[1:])
            shape = (layer.weight.shape[0], *side)
            geometry = Geometry((layer.stride,) * 2, (0, 0), (1, 1))
        network.populations[name] = population(name, shape, layer)
        network.projections[f"into {name}"] = Projection(
            f"into {name}", source, name, layer.weight, geometry=geometry, delay=layer.delay
        )
        source = name
    return network


def biased(network: ChipNetwork, bias: np.ndarray) -> EncodedInput:
    """Samples that enter as the bias of the input's neurons, [N, *shape], in the membrane's integers."""
    mantissa, exponent = encode_bias(bias)
    given = (mantissa.astype(np.int16), exponent.astype(np.int16))
    return EncodedInput(network.steps, len(bias), {}, {"input": given})
