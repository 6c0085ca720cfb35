"""The layers of each architecture, as plain data: which sources a layer of neurons adds up, and through what."""

from __future__ import annotations

from dataclasses import dataclass

INPUT = "input"


@dataclass(frozen=True)
class Branch:
    """A way into a layer: convolution and batch norm, or (kernel 0) the source's spikes as they are."""

    source: str
    kernel: int
    stride: int = 1

    @property
    def padding(self) -> int:
        """Keeps the size of the image at stride 1 (odd kernels)."""
        return self.kernel // 2


@dataclass(frozen=True)
class Layer:
    """DA-LIF neurons of `channels`, driven by the sum of all branches."""

    name: str
    channels: int
    branches: tuple[Branch, ...]


def conv_layers(channels: list[int], strides: list[int], kernel: int) -> list[Layer]:
    """Architecture "cnn": block1, block2, …, one after the other."""
    layers, source = [], INPUT
    for index, (width, stride) in enumerate(zip(channels, strides, strict=True), start=1):
        layers.append(Layer(f"block{index}", width, (Branch(source, kernel, stride),)))
        source = layers[-1].name
    return layers


def residual_layers(channels: list[int], strides: list[int], kernel: int) -> list[Layer]:
    """Architecture "resnet": a stem, then basic blocks whose shortcut is added before the second layer's neurons.

    As in spiking ResNets with direct addition (Zheng et al., AAAI 2021, fig. 5): the shortcut is the block's own input,
    or a 1x1 convolution where the shape changes.
    """
    layers = [Layer("stem", channels[0], (Branch(INPUT, kernel),))]
    for index, (width, stride) in enumerate(zip(channels, strides, strict=True), start=1):
        before, first = layers[-1], f"block{index}a"
        same = stride == 1 and before.channels == width
        shortcut = Branch(before.name, 0) if same else Branch(before.name, 1, stride)
        layers.append(Layer(first, width, (Branch(before.name, kernel, stride),)))
        layers.append(Layer(f"block{index}b", width, (Branch(first, kernel), shortcut)))
    return layers
