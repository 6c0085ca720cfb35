"""Checkpoints: architecture as plain data plus tensors. Never pickled code: loads with `weights_only=True`."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.networks.checkpoint_claims import check_checkpoint
from dalif_deploy.networks.spec import NetworkSpec
from dalif_deploy.networks.spiking_network import SpikingNetwork, build_network

FORMAT = "dalif-deploy checkpoint 2"
TRAIN_AGAIN = "write one with dalif-train"


class _Info(BaseModel):
    """What readers of `info` rely on; more may stand there."""

    model_config = ConfigDict(extra="allow")
    dataset: str | None = None
    input_step: Annotated[FiniteFloat, Field(gt=0)] | None = None


@dataclass
class Checkpoint:
    """A trained network and what is known of its training.

    Attributes:
        network: in evaluation mode, on the CPU.
        info: `dataset` (its name), `input_step` (value of one integer level of its images), `test_accuracy` (0..1),
            `config` (the recipe's fields); each may be missing or None.
        training: what an unfinished training goes on from, see `dalif_deploy.training.training_state`; None in a
            finished one.
    """

    network: SpikingNetwork
    spec: NetworkSpec
    info: dict[str, Any]
    training: dict[str, Any] | None = None


def save_checkpoint(
    path: str | Path,
    network: SpikingNetwork,
    info: dict[str, Any],
    *,
    training: dict[str, Any] | None = None,
    force: bool = False,
) -> None:
    """Writes the file whole or not at all; on a power cut as well.

    Args:
        info: plain data only (numbers, text, lists, dicts); see `Checkpoint`.
        training: plain data and tensors.

    Raises:
        UserError: the file exists and `force` is not set, or can't be written.
    """
    content = {
        "format": FORMAT,
        "spec": network.spec.model_dump(mode="json"),
        "info": info,
        "state": {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()},
    }
    if training is not None:
        content["training"] = training
    with atomic_file(path, force=force) as temporary, open(temporary, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Reads a checkpoint without running any code from it.

    Raises:
        UserError: missing, truncated or foreign file, code in it, unknown architecture or layers, shapes that do not
            fit, NaN or infinite weights (named).
    """
    path = Path(path)
    content = _load_plain(path)
    if not isinstance(content, dict) or not _is_text(content.get("format"), FORMAT):
        raise UserError("not a checkpoint of dalif-train", where=str(path), remedy=TRAIN_AGAIN)
    spec, info, state = (content.get(key) for key in ("spec", "info", "state"))
    if not (isinstance(spec, dict) and isinstance(info, dict) and isinstance(state, dict)):
        raise UserError("not a whole checkpoint: spec, info or state is missing", where=str(path), remedy=TRAIN_AGAIN)
    spec = _validated(NetworkSpec, spec, "unknown architecture", path)
    _validated(_Info, info, "unusable info", path)
    # on "meta" nothing is allocated: a file that claims a huge network is refused before any memory is asked for
    try:
        with torch.device("meta"):
            network = build_network(spec)
    except RuntimeError as error:  # sizes beyond 64 bits
        raise UserError("describes a network too large to build", where=str(path), remedy=TRAIN_AGAIN) from error
    _check_state(path, network.state_dict(), state)
    network.load_state_dict(state, assign=True)
    training = content.get("training")
    return Checkpoint(network.eval(), spec, info, training if isinstance(training, dict) else None)


def _is_text(value: Any, text: str) -> bool:
    return isinstance(value, str) and value == text


def _validated(model: type[BaseModel], content: dict[str, Any], what: str, path: Path) -> Any:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what = f"{what}: {place}: {first['msg']}" if place else f"{what}: {first['msg']}"
        raise UserError(what, where=str(path), remedy=TRAIN_AGAIN) from error


def _load_plain(path: Path) -> Any:
    if not path.is_file():
        what = "is a folder, not a checkpoint" if path.is_dir() else "no such file"
        raise UserError(what, where=str(path), remedy="give the model.pt that dalif-train wrote")
    try:
        check_checkpoint(path, remedy=TRAIN_AGAIN)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except (UserError, MemoryError):
        raise
    # zipfile and torch raise many types for damaged files: unpickling, zip, end of file, key errors
    except Exception as error:
        raise UserError(_load_fault(path, error), where=str(path), remedy=TRAIN_AGAIN) from error


def _load_fault(path: Path, error: Exception) -> str:
    # torch's words where the file names a class or function, and where it is compiled code
    if any(words in str(error) for words in ("Unsupported global", "Unsupported class", "TorchScript")):
        return "holds code, which is never run"
    with open(path, "rb") as file:
        if file.read(1) == b"\x80":  # how every binary pickle begins
            return "a plain pickle, which may hold code and is never run"
    return "truncated, or not a checkpoint"


def _check_state(path: Path, wanted: dict[str, torch.Tensor], state: dict[Any, Any]) -> None:
    for key in [*(k for k in wanted if k not in state), *(k for k in state if k not in wanted)]:
        what = "unknown layer" if key in state else "missing layer"
        raise UserError(f"{what} {key}", where=str(path), remedy=TRAIN_AGAIN)
    for key, value in state.items():
        if not _fits(value, wanted[key]):
            raise UserError(f"{key} does not fit the architecture", where=str(path), remedy=TRAIN_AGAIN)
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(f"{key} holds NaN or infinity", where=str(path), remedy=TRAIN_AGAIN)
        if key.endswith("running_var") and (value < 0).any():
            raise UserError(f"{key} holds a negative variance", where=str(path), remedy=TRAIN_AGAIN)


def _fits(value: Any, wanted: torch.Tensor) -> bool:
    """Shape and type agree, and the values are really there: a contiguous tensor can't claim more than its file has."""
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.is_quantized:
        return False
    return value.shape == wanted.shape and value.dtype == wanted.dtype and value.is_contiguous()
