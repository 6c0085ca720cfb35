"""One typed, validated object that says how a network is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from dalif_deploy.networks import NetworkSpec, NeuronSpec
from dalif_deploy.networks.spec import Arch, SizePerBlock, Steps, require_a_stride_per_block

# `shift` is augmentation: images moved by up to so many pixels
DEFAULTS = {
    "digits": {"channels": [16, 32], "strides": [1, 2], "epochs": 25, "batch_size": 64, "lr": 5e-3, "shift": 1},
    # convolutions at 28x28 would double the time and, in two epochs, gain nothing
    "fashion-mnist": {
        "channels": [48, 96, 128], "strides": [2, 2, 2], "epochs": 2, "batch_size": 64, "lr": 3e-3, "shift": 0,
    },
}  # fmt: skip


class TrainConfig(BaseModel):
    """Data, network and recipe (AdamW, one-cycle cosine schedule).

    Attributes:
        lr: largest learning rate of the schedule.
        shift: images are moved by up to so many pixels, a batch at a time.
        seed: of the weights, the order of the samples and the shifts; on a CPU with the same number of threads it
            determines every bit of the result.
    """

    model_config = ConfigDict(extra="forbid")
    dataset: Literal["digits", "fashion-mnist"]
    arch: Arch = "cnn"
    steps: Steps = 4
    channels: SizePerBlock
    strides: SizePerBlock
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    lr: FiniteFloat = Field(gt=0)
    weight_decay: FiniteFloat = Field(default=1e-4, ge=0)
    shift: int = Field(default=0, ge=0)
    neuron: NeuronSpec = NeuronSpec()
    seed: int = Field(default=0, ge=0, lt=1 << 63)

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        require_a_stride_per_block(self.channels, self.strides)
        return self

    def network(self, input_shape: tuple[int, ...], classes: int) -> NetworkSpec:
        """The network that this configuration trains."""
        return NetworkSpec(
            arch=self.arch,
            input_shape=input_shape,
            classes=classes,
            channels=self.channels,
            strides=self.strides,
            steps=self.steps,
            neuron=self.neuron,
        )
