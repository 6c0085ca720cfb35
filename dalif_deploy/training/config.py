"""One typed, validated object that says how a network is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dalif_deploy.networks import NetworkSpec, NeuronSpec

# channels, strides, epochs, batch size, learning rate, augmentation by shifts of this many pixels
DEFAULTS = {
    "digits": {"channels": [16, 32], "strides": [1, 2], "epochs": 25, "batch_size": 64, "lr": 5e-3, "shift": 1},
    "fashion-mnist": {
        "channels": [32, 64, 64], "strides": [1, 2, 2], "epochs": 2, "batch_size": 64, "lr": 3e-3, "shift": 0,
    },
}  # fmt: skip


class TrainConfig(BaseModel):
    """Data, network and recipe (AdamW, one-cycle cosine schedule)."""

    model_config = ConfigDict(extra="forbid")
    dataset: Literal["digits", "fashion-mnist"]
    arch: Literal["cnn"] = "cnn"
    steps: int = Field(default=4, ge=1)
    channels: list[int] = Field(min_length=1)
    strides: list[int] = Field(min_length=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    lr: float = Field(gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    shift: int = Field(default=0, ge=0)
    neuron: NeuronSpec = NeuronSpec()
    seed: int = 0

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
