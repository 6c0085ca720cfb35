"""A network as plain data: what the checkpoint holds instead of code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from dalif_deploy.networks.layer_shapes import layer_shapes
from dalif_deploy.networks.layers import NAMED, Stack, conv_stack, residual_stack
from dalif_deploy.neuron import DALIF

Size = Annotated[int, Field(ge=1, le=65_536)]
SizePerBlock = Annotated[list[Size], Field(min_length=1, max_length=64)]
Steps = Annotated[int, Field(ge=1, le=100_000)]
Arch = Literal["cnn", "resnet", "resnet19", "vgg11", "vgg16", "vggsnn", "sew-resnet18", "sew-resnet34"]


class NeuronSpec(BaseModel):
    """Options of DALIF, see there; refused where DALIF refuses them."""

    model_config = ConfigDict(extra="forbid")
    v_threshold: FiniteFloat = Field(default=1.0, gt=0)
    activation: Literal["tanh", "sigmoid", "clamp"] = "tanh"
    learn: Literal["both", "spatial", "temporal", "none"] = "both"
    alpha_init: FiniteFloat = 0.9
    beta_init: FiniteFloat = 0.5
    reset: Literal["zero", "subtract"] = "zero"
    surrogate: Literal["atan", "sigmoid", "triangle", "rectangle"] = "atan"
    width: FiniteFloat = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _builds(self) -> NeuronSpec:
        DALIF(**self.model_dump())
        return self


class NetworkSpec(BaseModel):
    """Convolutions with batch norm and DA-LIF neurons, then a linear readout averaged over time.

    Architectures: see `dalif_deploy.networks.layers`. "cnn" and "resnet" have an entry of `channels` and `strides` a
    block; the named ones have their own, scaled by `width`.
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
    neuron: NeuronSpec = NeuronSpec()

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSpec:
        if self.arch in NAMED:
            if self.channels is not None or self.strides is not None:
                raise ValueError(f"{self.arch} has its own channels and strides; scale them by width")
        else:
            require_a_stride_per_block(self.channels or [], self.strides or [])
            if not self.channels:
                raise ValueError(f"{self.arch} needs channels and strides")
            if self.arch == "resnet" and self.kernel % 2 == 0:
                raise ValueError("a residual network needs an odd kernel, so that its branches have one size")
        layer_shapes(self.stack().layers, tuple(self.input_shape))
        return self

    def stack(self) -> Stack:
        """Layers of neurons in order of data flow, and the readout."""
        if self.arch in NAMED:
            return NAMED[self.arch](lambda channels: max(1, round(channels * self.width)))
        make = {"cnn": conv_stack, "resnet": residual_stack}[self.arch]
        return make(self.channels or [], self.strides or [], self.kernel)


def require_a_stride_per_block(channels: list[int], strides: list[int]) -> None:
    """Raises ValueError where the two lists differ in length."""
    if len(channels) != len(strides):
        raise ValueError(f"{len(channels)} channels and {len(strides)} strides: a block needs one of each")
