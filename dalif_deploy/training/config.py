"""One typed, validated object that says how a network is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from dalif_deploy.data.data_sets import DATA_SETS, NAMES
from dalif_deploy.hw_models.chips.names import chip_names, either_chip
from dalif_deploy.networks import NetworkSpec, NeuronSpec
from dalif_deploy.networks.layers import NAMED
from dalif_deploy.networks.spec import Arch, SizePerBlock, Steps, require_channels

_MOTION = {"arch": "vggsnn", "width": 0.125, "steps": 10, "epochs": 2, "batch_size": 64, "lr": 3e-3}
# `shift` is augmentation: images moved by up to so many pixels
DEFAULTS = {
    "digits": {"channels": [16, 32], "strides": [1, 2], "epochs": 25, "batch_size": 64, "lr": 5e-3, "shift": 1},
    # convolutions at 28x28 would double the time and, in two epochs, gain nothing
    "fashion-mnist": {
        "channels": [48, 96, 128], "strides": [2, 2, 2], "epochs": 2, "batch_size": 64, "lr": 3e-3, "shift": 0,
    },
    # time carries the answer: one or two layers of neurons, each with a memory of its own
    "digits-rows": {
        "arch": "mlp", "channels": [64], "steps": 8, "epochs": 60, "batch_size": 64, "lr": 5e-3,
    },
    "fashion-rows": {
        "arch": "mlp", "channels": [128, 128], "steps": 28, "epochs": 10, "batch_size": 128, "lr": 3e-3,
    },
    "digits-direction": {
        "channels": [8, 16], "strides": [2, 2], "steps": 10, "epochs": 10, "batch_size": 64, "lr": 3e-3,
    },
    "digits-speed": {
        "channels": [8, 16], "strides": [2, 2], "steps": 16, "epochs": 10, "batch_size": 64, "lr": 3e-3,
    },
    "mnist": {
        "channels": [48, 96, 128], "strides": [2, 2, 2], "epochs": 2, "batch_size": 64, "lr": 3e-3, "shift": 0,
    },
    # for a small machine, as are those above; for the field's figures take resnet19 or vgg16, sgd and many epochs
    "cifar10": {
        "channels": [32, 64, 128, 256], "strides": [1, 2, 2, 2], "epochs": 20, "batch_size": 64, "lr": 3e-3,
        "flip": True, "crop_padding": 4,
    },
    "cifar100": {
        "channels": [32, 64, 128, 256], "strides": [1, 2, 2, 2], "epochs": 30, "batch_size": 64, "lr": 3e-3,
        "flip": True, "crop_padding": 4,
    },
    # SEW-ResNet's (Fang et al., NeurIPS 2021) but for its 320 epochs and random resized crops
    "imagenet": {
        "arch": "sew-resnet18", "epochs": 90, "batch_size": 256, "optimizer": "sgd", "lr": 0.1, "schedule": "cosine",
        "flip": True, "crop_padding": 16,
    },
    # VGGSNN on frames of events (Deng et al., ICLR 2022) with its translations and, where left and right mean the same,
    # flips (Li et al., ECCV 2022, "NDA"); narrow, for a small machine
    "mnist-motion": {**_MOTION, "crop_padding": 2},
    "fashion-motion": {**_MOTION, "crop_padding": 2, "flip": True},
    "cifar10-motion": {**_MOTION, "crop_padding": 2, "flip": True, "epochs": 20},
    "cifar10-dvs": {**_MOTION, "crop_padding": 5, "flip": True, "epochs": 100, "batch_size": 32, "width": 0.25},
    "dvs128-gesture": {**_MOTION, "crop_padding": 5, "epochs": 100, "batch_size": 16, "width": 0.25},
}  # fmt: skip


def with_defaults(options: dict[str, Any]) -> dict[str, Any]:
    """`options` over what their data set asks for, as fields of `TrainConfig`."""
    # what is no text is refused by `TrainConfig`
    defaults = dict(DEFAULTS.get(str(options.get("dataset", "digits")), DEFAULTS["digits"]))
    arch = str(options.get("arch", defaults.get("arch", "cnn")))
    unknown = {"mlp": ("strides", "width")}.get(arch, ("channels", "strides") if arch in NAMED else ("width",))
    for field in unknown:  # what the architecture does not know
        defaults.pop(field, None)
    merged = {"dataset": "digits", **defaults, **options}
    channels, strides = options.get("channels"), defaults.get("strides")
    if isinstance(channels, list) and channels and "strides" not in options and isinstance(strides, list):
        merged["strides"] = [strides[0]] + [2] * (len(channels) - 1)
    return merged


def _known(name: str) -> str:
    if name not in DATA_SETS:
        raise ValueError(f"should be one of {NAMES}")
    return name


def _known_chip(name: str) -> str:
    if name not in chip_names():
        raise ValueError(f"should be {either_chip()}")
    return name


DataSetName = Annotated[str, AfterValidator(_known)]


class TrainConfig(BaseModel):
    """Data, network and recipe; the recipe's defaults are AdamW under a one-cycle cosine schedule.

    Attributes:
        channels, strides, width, batch_norm, recurrent: see `NetworkSpec`.
        batch_size: samples a step, over all processes together.
        lr: largest learning rate of the schedule.
        momentum, nesterov: of SGD; AdamW knows neither.
        schedule: "one-cycle" (up over a fifth of all steps, down to nearly 0; with AdamW its first moment moves against
            it), or "cosine" (up over `warmup_epochs`, then half a cosine down to 0).
        loss: of the logits averaged over time ("cross-entropy"), or "tet", see `tet_loss`.
        tet_lambda: share of the regulariser in the TET loss.
        teacher: a trained network, whose answers to the same images are learned beside the labels; see
            `dalif_deploy.training.distillation`. None: the labels alone.
        teacher_weight: share of the teacher in the loss; `loss` has the rest.
        temperature: by which the logits of both are divided. Defaults of both: those for CIFAR of Tian et al., ICLR
            2020 ("Contrastive representation distillation"; github.com/HobbitLong/RepDistiller).
        shift: images are moved by up to so many pixels, a batch at a time.
        flip, crop_padding, cutout: an image at a time; see `dalif_deploy.training.augmentation`.
        quantize: chip whose arithmetic the forward pass has in the last `quantize_epochs` epochs (by default half of
            all), see `dalif_deploy.hardware_aware`.
        weight_bits: of that chip's weights, sign included.
        scale_group: one scale a "layer", or one a "channel", which a few bits serve better.
        precision: "32", or "bf16-mixed" or "16-mixed" (GPUs alone): convolutions and products in 16 bits, under
            autocast. Membranes have 32, the epochs of `quantize` are exact, and the test is made in full precision.
        start_from: a trained network, path or zoo:NAME, whose weights and decays the training begins with. It has the
            layers of this one; steps, reset and all that has no shape may differ.
        recipe: that the fields come from; None where they are the user's own. Options given beside it go before it.
        seed: of the weights, the order of the samples and all augmentation; on a CPU with the same number of threads it
            determines every bit of the result.
    """

    model_config = ConfigDict(extra="forbid")
    dataset: DataSetName
    arch: Arch = "cnn"
    steps: Steps = 4
    channels: SizePerBlock | None = None
    strides: SizePerBlock | None = None
    width: FiniteFloat = Field(default=1.0, gt=0, le=16)
    batch_norm: bool = True
    recurrent: bool = False
    neuron: NeuronSpec = NeuronSpec()
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: FiniteFloat = Field(gt=0)
    weight_decay: FiniteFloat = Field(default=1e-4, ge=0)
    momentum: FiniteFloat = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    schedule: Literal["one-cycle", "cosine"] = "one-cycle"
    warmup_epochs: FiniteFloat = Field(default=0, ge=0)
    loss: Literal["cross-entropy", "tet"] = "cross-entropy"
    tet_lambda: FiniteFloat = Field(default=0, ge=0, le=1)
    label_smoothing: FiniteFloat = Field(default=0, ge=0, lt=1)
    teacher: str | None = None
    teacher_weight: FiniteFloat = Field(default=0.9, gt=0, le=1)
    temperature: FiniteFloat = Field(default=4, gt=0)
    shift: int = Field(default=0, ge=0)
    flip: bool = False
    crop_padding: int = Field(default=0, ge=0, le=256)
    cutout: int = Field(default=0, ge=0)
    quantize: Annotated[str, AfterValidator(_known_chip)] | None = None
    weight_bits: int = Field(default=8, ge=1, le=8)
    scale_group: Literal["layer", "channel"] = "layer"
    quantize_epochs: int | None = Field(default=None, ge=1)
    precision: Literal["32", "bf16-mixed", "16-mixed"] = "32"
    start_from: str | None = None
    recipe: str | None = None
    seed: int = Field(default=0, ge=0, lt=1 << 63)

    @model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        if self.arch in NAMED:
            if self.channels is not None or self.strides is not None:
                raise ValueError(f"{self.arch} has its own channels and strides; scale them by width")
        else:
            require_channels(self.arch, self.channels, self.strides)
            if self.width != 1:
                raise ValueError(f"width scales the named architectures; {self.arch} has channels")
        if self.neuron.kind == "relu" and (self.steps != 1 or self.recurrent or self.quantize or self.loss == "tet"):
            raise ValueError("a ReLU network makes one pass (steps 1), without recurrence, quantize or tet")
        # what would silently do nothing is refused
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise ValueError("nesterov needs the optimizer sgd with momentum")
        if self.warmup_epochs and self.schedule != "cosine":
            raise ValueError("warmup_epochs needs the schedule cosine; one-cycle has a rise of its own")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs} must be less than epochs {self.epochs}")
        if self.tet_lambda and self.loss != "tet":
            raise ValueError("tet_lambda needs the loss tet")
        if self.teacher is None and (self.teacher_weight, self.temperature) != (0.9, 4):
            raise ValueError("teacher_weight and temperature need a teacher")
        bare = self.quantize_epochs is None and self.weight_bits == 8 and self.scale_group == "layer"
        if self.quantize is None and not bare:
            raise ValueError(f"weight_bits, scale_group and quantize_epochs need quantize: {either_chip()}")
        # a trained network's batch norm has seen the data
        if self.quantize is not None and self.float_epochs < (1 if self.start_from is None else 0):
            raise ValueError(
                "quantize needs at least one epoch before it, in which batch norm sees the data: more epochs"
                if self.start_from is None
                else f"quantize_epochs {self.quantize_epochs} are more than epochs {self.epochs}"
            )
        return self

    @property
    def float_epochs(self) -> int:
        """Epochs before those that have the chip's arithmetic."""
        if self.quantize is None:
            return self.epochs
        return self.epochs - (self.quantize_epochs or max(1, self.epochs // 2))

    def network(self, input_shape: tuple[int, int, int], classes: int) -> NetworkSpec:
        """The network that this configuration trains."""
        return NetworkSpec(
            arch=self.arch,
            input_shape=input_shape,
            classes=classes,
            channels=self.channels,
            strides=self.strides,
            width=self.width,
            steps=self.steps,
            batch_norm=self.batch_norm,
            recurrent=self.recurrent,
            neuron=self.neuron,
        )
