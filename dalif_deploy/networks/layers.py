"""The layers of each architecture, as plain data: which sources a layer of neurons adds up, and through what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

INPUT = "input"


@dataclass(frozen=True)
class Branch:
    """A way into a layer.

    Attributes:
        sources: layers whose spikes are added before all else.
        kind: "conv" and "dense" carry weights and batch norm; "identity" hands the spikes on.
        pool: side of the windows that are averaged before the weights; 0 averages the whole image.
    """

    sources: tuple[str, ...]
    kind: Literal["conv", "dense", "identity"] = "conv"
    kernel: int = 3
    stride: int = 1
    pool: int = 1

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


@dataclass(frozen=True)
class Stack:
    """Layers in order of data flow, and what the readout sees: the spikes of `readout.sources`, pooled."""

    layers: tuple[Layer, ...]
    readout: Branch


def conv_stack(channels: list[int], strides: list[int], kernel: int) -> Stack:
    """Architecture "cnn": block1, block2, …, one after the other; all of the last one's neurons are read."""
    layers, source = [], INPUT
    for index, (width, stride) in enumerate(zip(channels, strides, strict=True), start=1):
        layers.append(Layer(f"block{index}", width, (Branch((source,), kernel=kernel, stride=stride),)))
        source = layers[-1].name
    return Stack(tuple(layers), Branch((source,), "dense"))


def dense_stack(channels: list[int]) -> Stack:
    """Architecture "mlp": block1, block2, … of so many neurons, each connected to all of the one before."""
    sources = [INPUT, *(f"block{index}" for index in range(1, len(channels) + 1))]
    layers = [
        Layer(name, width, (Branch((source,), "dense"),))
        for name, source, width in zip(sources[1:], sources[:-1], channels, strict=True)
    ]
    return Stack(tuple(layers), Branch((sources[-1],), "dense"))


def residual_stack(channels: list[int], strides: list[int], kernel: int) -> Stack:
    """Architecture "resnet": a stem, then basic blocks whose shortcut is added before the second layer's neurons.

    As in spiking ResNets with direct addition (Zheng et al., AAAI 2021, fig. 5): the shortcut is the block's own input,
    or a 1x1 convolution where the shape changes. The mean of each channel is read.
    """
    layers = [Layer("stem", channels[0], (Branch((INPUT,), kernel=kernel),))]
    for index, (width, stride) in enumerate(zip(channels, strides, strict=True), start=1):
        layers += _basic_block(f"block{index}", layers[-1], width, stride, kernel)
    return Stack(tuple(layers), Branch((layers[-1].name,), "dense", pool=0))


def _basic_block(name: str, before: Layer, width: int, stride: int, kernel: int = 3) -> list[Layer]:
    source = (before.name,)
    same = stride == 1 and before.channels == width
    shortcut = Branch(source, "identity") if same else Branch(source, kernel=1, stride=stride)
    first = Layer(f"{name}a", width, (Branch(source, kernel=kernel, stride=stride),))
    return [first, Layer(f"{name}b", width, (Branch((first.name,), kernel=kernel), shortcut))]


def resnet19(width: Callable[[int], int]) -> Stack:
    """ResNet-19 for CIFAR (Zheng et al., AAAI 2021, table 1): 3, 3, 2 blocks of 128, 256, 512, then 256 dense."""
    layers = [Layer("stem", width(128), (Branch((INPUT,)),))]
    for stage, (channels, blocks) in enumerate(((128, 3), (256, 3), (512, 2)), start=1):
        for index in range(1, blocks + 1):
            stride = 2 if stage > 1 and index == 1 else 1
            layers += _basic_block(f"stage{stage}_{index}", layers[-1], width(channels), stride)
    layers.append(Layer("dense", width(256), (Branch((layers[-1].name,), "dense", pool=0),)))
    return Stack(tuple(layers), Branch(("dense",), "dense"))


def vgg(plan: str) -> Callable[[Callable[[int], int]], Stack]:
    """A VGG type from a plan such as "64 128 P 256 256 P 512": numbers are convolutions, P halves the image."""

    def make(width: Callable[[int], int]) -> Stack:
        layers: list[Layer] = []
        source, pool = INPUT, 1
        for entry in plan.split():
            if entry == "P":
                pool = 2
                continue
            layers.append(Layer(f"conv{len(layers) + 1}", width(int(entry)), (Branch((source,), pool=pool),)))
            source, pool = layers[-1].name, 1
        return Stack(tuple(layers), Branch((source,), "dense", pool=pool))

    return make


def sew_resnet(blocks: tuple[int, ...]) -> Callable[[Callable[[int], int]], Stack]:
    """SEW-ResNet with addition (Fang et al., NeurIPS 2021, fig. 2) for ImageNet.

    A block's spikes are added to what it was given: the sum is no spike any more, so that the next layer's synapses
    come from all members of the sum. Average pooling stands where the original has max pooling behind the stem, which
    no linear synapse can carry.
    """

    def make(width: Callable[[int], int]) -> Stack:
        layers = [Layer("stem", width(64), (Branch((INPUT,), kernel=7, stride=2),))]
        given: tuple[str, ...] = ("stem",)
        pool, previous = 2, width(64)
        for stage, count in enumerate(blocks, start=1):
            channels = width(64 * 2 ** (stage - 1))
            for index in range(1, count + 1):
                name, stride = f"stage{stage}_{index}", 2 if stage > 1 and index == 1 else 1
                first = Layer(f"{name}a", channels, (Branch(given, stride=stride, pool=pool),))
                second = Layer(f"{name}b", channels, (Branch((first.name,)),))
                layers += [first, second]
                if stride != 1 or previous != channels or pool != 1:
                    # the shortcut changes shape, and so has neurons of its own
                    shortcut = Branch(given, kernel=1, stride=stride, pool=pool)
                    layers.append(Layer(f"{name}s", channels, (shortcut,)))
                    given = (second.name, f"{name}s")
                else:
                    given = (*given, second.name)
                pool, previous = 1, channels
        return Stack(tuple(layers), Branch(given, "dense", pool=0))

    return make


# by name of the architecture; each takes the function that scales a layer's width
NAMED: dict[str, Callable[[Callable[[int], int]], Stack]] = {
    "resnet19": resnet19,
    "vgg11": vgg("64 P 128 P 256 256 P 512 512 P 512 512 P"),
    "vgg16": vgg("64 64 P 128 128 P 256 256 256 P 512 512 512 P 512 512 512 P"),
    "vggsnn": vgg("64 128 P 256 256 P 512 512 P 512 512 P"),  # Deng et al., ICLR 2022, for event data
    "sew-resnet18": sew_resnet((2, 2, 2, 2)),
    "sew-resnet34": sew_resnet((3, 4, 6, 3)),
}
