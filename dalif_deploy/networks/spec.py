"""A network as plain data: what the checkpoint holds instead of code."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dalif_deploy.networks.conv_network import ConvNetwork


class NeuronSpec(BaseModel):
    """Options of DALIF, see there."""

    model_config = ConfigDict(extra="forbid")
    v_threshold: float = Field(default=1.0, gt=0)
    activation: Literal["tanh", "sigmoid", "clamp"] = "tanh"
    learn: Literal["both", "spatial", "temporal", "none"] = "both"
    alpha_init: float = 0.9
    beta_init: float = 0.5
    reset: Literal["zero", "subtract"] = "zero"
    surrogate: Literal["atan", "sigmoid", "triangle", "rectangle"] = "atan"
    width: float = Field(default=1.0, gt=0)


class NetworkSpec(BaseModel):
    """Architecture "cnn": conv-BN-DALIF blocks, then a linear readout averaged over time."""

    model_config = ConfigDict(extra="forbid")
    arch: Literal["cnn"] = "cnn"
    input_shape: tuple[int, int, int]
    classes: int = Field(ge=2, le=100_000)
    channels: list[int] = Field(min_length=1, max_length=64)
    strides: list[int] = Field(min_length=1, max_length=64)
    kernel: int = Field(default=3, ge=1, le=31)
    steps: int = Field(default=4, ge=1, le=100_000)
    neuron: NeuronSpec = NeuronSpec()

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSpec:
        if len(self.channels) != len(self.strides):
            raise ValueError("channels and strides must have one entry a block")
        sizes = (*self.input_shape, *self.channels, *self.strides)
        if min(sizes) < 1 or max(sizes) > 65_536:
            raise ValueError("sizes must lie between 1 and 65,536")
        return self


def build_network(spec: NetworkSpec) -> ConvNetwork:
    """A fresh network, randomly initialised."""
    return ConvNetwork(spec)
