"""A network as plain data: what the checkpoint holds instead of code."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from dalif_deploy.networks.layer_shapes import layer_shapes
from dalif_deploy.networks.layers import NAMED, Stack, conv_stack, dense_stack, residual_stack
from dalif_deploy.neuron import DALIF
from dalif_deploy.neuron.dalif import Learn, Per
from dalif_deploy.neuron.relu import ReLULayer

Size = Annotated[int, Field(ge=1, le=65_536)]
SizePerBlock = Annotated[list[Size], Field(min_length=1, max_length=64)]
Steps = Annotated[int, Field(ge=1, le=100_000)]
Range = Annotated[tuple[FiniteFloat, FiniteFloat], Field(description="lowest and highest")]
Arch = Literal["cnn", "mlp", "resnet", "resnet19", "vgg11", "vgg16", "vggsnn", "sew-resnet18", "sew-resnet34"]


class NeuronSpec(BaseModel):
    """Options of DALIF, see there; refused where DALIF refuses them.

    Attributes:
        kind: "relu" puts activations in the place of neurons, to which no other option applies.
    """

    model_config = ConfigDict(extra="forbid")
    kind: Literal["da-lif", "relu"] = "da-lif"
    v_threshold: FiniteFloat = Field(default=1.0, gt=0)
    activation: Literal["tanh", "sigmoid", "clamp"] = "tanh"
    learn: Learn = "both"
    alpha_init: FiniteFloat | Range = 0.9
    beta_init: FiniteFloat | Range = 0.5
    decays_per: Per = "layer"
    learn_threshold: bool = False
    reset: Literal["zero", "subtract"] = "zero"
    surrogate: Literal["atan", "sigmoid", "triangle", "rectangle"] = "atan"
    width: FiniteFloat = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _builds(self) -> NeuronSpec:
        self.build((1,))
        return self

    def build(self, shape: tuple[int, ...]) -> DALIF | ReLULayer:
        """A layer of `shape`."""
        if self.kind == "relu":
            return ReLULayer()
        options: dict[str, Any] = self.model_dump(exclude={"kind"})
        return DALIF(**options, shape=shape)


class NetworkSpec(BaseModel):
    """Convolutions with batch norm and DA-LIF neurons, then a linear readout averaged over time.

    Architectures: see `dalif_deploy.networks.layers`. "cnn" and "resnet" have an entry of `channels` and `strides` a
    block, "mlp" one of `channels`, its neurons; the named ones have their own, scaled by `width`.

    Attributes:
        batch_norm: False leaves it out; weights then have a bias.
        recurrent: each layer sees its own spikes of the step before, through weights of their own: a convolution of 3x3
            where it is an image, all to all elsewhere.
    """

    model_config = ConfigDict(extra="forbid")
    arch: Arch = "cnn"
    input_shape: tuple[Size, Size, Size]
    classes: int = Field(ge=2, le=100_000)
    channels: SizePerBlock | None = None
    strides: SizePerBlock | None = None
    kernel: int = Field(default=3, ge=1, le=31)
    width: FiniteFloat = Field(default=1.0, gt=0, le=16)
    steps: Steps = 4
    batch_norm: bool = True
    recurrent: bool = False
    neuron: NeuronSpec = NeuronSpec()

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSpec:
        if self.arch in NAMED:
            if self.channels is not None or self.strides is not None:
                raise ValueError(f"{self.arch} has its own channels and strides; scale them by width")
        else:
            require_channels(self.arch, self.channels, self.strides)
            if self.arch == "resnet" and self.kernel % 2 == 0:
                raise ValueError("a residual network needs an odd kernel, so that its branches have one size")
        layer_shapes(self.stack().layers, tuple(self.input_shape))
        return self

    def stack(self) -> Stack:
        """Layers of neurons in order of data flow, and the readout."""
        if self.arch in NAMED:
            return NAMED[self.arch](lambda channels: max(1, round(channels * self.width)))
        if self.arch == "mlp":
            return dense_stack(self.channels or [])
        make = {"cnn": conv_stack, "resnet": residual_stack}[self.arch]
        return make(self.channels or [], self.strides or [], self.kernel)


def require_channels(arch: str, channels: list[int] | None, strides: list[int] | None) -> None:
    """Raises ValueError where an architecture that is given its channels lacks them, or strides that fit them."""
    if arch == "mlp":
        if strides:
            raise ValueError("mlp has no strides")
        strides = channels
    if not channels or strides is None:
        raise ValueError(f"{arch} needs channels{'' if arch == 'mlp' else ' and strides'}")
    if len(channels) != len(strides):
        raise ValueError(f"{len(channels)} channels and {len(strides)} strides: a block needs one of each")
