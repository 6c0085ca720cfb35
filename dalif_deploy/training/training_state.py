"""What a training needs to go on after any step as if it had never stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler
from torch.utils._pytree import tree_map_only

from dalif_deploy.hardware_aware import ChipForward
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line
from dalif_deploy.networks import SpikingNetwork
from dalif_deploy.networks.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dalif_deploy.training.config import TrainConfig
from dalif_deploy.training.processes import OneProcess, Processes


def not_a_number(what: str) -> UserError:
    """The error of a training that diverged."""
    return UserError(what, remedy="use a smaller --lr")


@dataclass
class TrainingState:
    """All that changes from one step to the next.

    Attributes:
        chip: the network as the chip computes it, for the epochs that train so; None without them.
        processes: what they keep is saved, too.
        rng: decides the order of the samples and the augmentation.
        batch: steps done in the current epoch.
        permutation: the current epoch's order of samples; None between epochs.
        loss, correct, seconds: sums over the current epoch.
        lr: rate with which the current epoch began.
        epochs: metrics of the finished epochs.
    """

    network: SpikingNetwork
    optimizer: torch.optim.Optimizer
    schedule: LRScheduler
    rng: np.random.Generator
    chip: ChipForward | None = None
    processes: Processes = field(default_factory=OneProcess)
    batch: int = 0
    permutation: torch.Tensor | None = None
    loss: float = 0.0
    correct: int = 0
    seconds: float = 0.0
    lr: float = 0.0
    epochs: list[dict[str, Any]] = field(default_factory=list)

    _PLAIN = ("batch", "permutation", "loss", "correct", "seconds", "lr", "epochs")

    def require_finite(self) -> None:
        """Raises UserError where a weight or one of batch norm's averages is no number.

        The loss can't tell: neurons whose input is NaN stay silent.
        """
        for name, tensor in self.network.state_dict().items():
            if not tensor.isfinite().all():
                raise not_a_number(f"{name} is no number any more in epoch {len(self.epochs) + 1}")

    def save(self, path: Path, info: dict[str, Any]) -> None:
        """Replaces the checkpoint at `path`, which dalif-export reads too; what stood there stays until then."""
        content = {
            **{name: getattr(self, name) for name in self._PLAIN},
            "optimizer": _on_cpu(self.optimizer.state_dict()),
            "schedule": self.schedule.state_dict(),
            "torch_rng": torch.get_rng_state(),
            # integers of 128 bits
            "numpy_rng": json.dumps(self.rng.bit_generator.state),
            "processes": self.processes.state_dict(),
        }
        save_checkpoint(path, self.network, info, training=content, force=True)

    def restore(self, checkpoint: Checkpoint, path: Path) -> None:
        """Goes back to where `checkpoint` was written.

        Raises:
            UserError: the checkpoint is no unfinished training, or one of another optimizer or network.
        """
        content = checkpoint.training
        with damage_in_one_line("not a complete training state", where=path, remedy="start again with --force"):
            if content is None:
                raise KeyError("training")
            self.network.load_state_dict(checkpoint.network.state_dict())
            self.optimizer.load_state_dict(content["optimizer"])
            self.schedule.load_state_dict(content["schedule"])
            self.rng.bit_generator.state = json.loads(content["numpy_rng"])
            self.processes.load_state_dict(content.get("processes", {}))
            torch.set_rng_state(content["torch_rng"])
            for name in self._PLAIN:
                setattr(self, name, content[name])


def _on_cpu(content: Any) -> Any:
    """So that the file can be read where there is no such device."""
    return tree_map_only(torch.Tensor, lambda tensor: tensor.cpu(), content)


def load_unfinished(path: Path, config: TrainConfig) -> Checkpoint | None:
    """The checkpoint to go on from; None if there is none yet.

    Raises:
        UserError: damaged, or of another configuration (the first field that differs is named).
    """
    if not path.is_file():
        return None
    checkpoint = load_checkpoint(path)
    require_same_config(checkpoint.info.get("config"), config, path)
    return checkpoint


def require_same_config(stored: Any, config: TrainConfig, path: Path) -> None:
    """Raises UserError naming the first field of `config` that differs from `stored`."""
    stored = _ADDED | _flat(stored) if isinstance(stored, dict) else {}
    for name, value in _flat(config.model_dump(mode="json")).items():
        if name not in stored or stored[name] != value:
            raise UserError(
                f"was trained with {name} {stored.get(name, 'unknown')}, not {value}",
                where=str(path),
                remedy="resume with the options it was begun with, or start again with --force",
            )


# what a configuration that was written before a field was there has in it
_ADDED = {
    "precision": "32",
    "teacher": None,
    "teacher_weight": 0.9,
    "temperature": 4.0,
    "start_from": None,
    "recipe": None,
    "recurrent": False,
    "batch_norm": True,
    "neuron.decays_per": "layer",
    "neuron.learn_threshold": False,
}


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    inner = fields.get("neuron")
    rest = {name: value for name, value in fields.items() if name != "neuron"}
    return rest | {f"neuron.{name}": value for name, value in (inner if isinstance(inner, dict) else {}).items()}
