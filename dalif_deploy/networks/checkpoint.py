"""Checkpoints: architecture as plain data plus tensors. Never pickled code: loads with `weights_only=True`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from dalif_deploy.networks.conv_network import ConvNetwork
from dalif_deploy.networks.spec import NetworkSpec, build_network
from hw_models.atomic_files import atomic_file
from hw_models.errors import UserError

FORMAT = "dalif-deploy checkpoint 1"
# No tensor of a network that this file can describe is larger; a file that claims more is refused before it is built
MAX_READOUT_INPUTS = 1 << 28


@dataclass
class Checkpoint:
    """A trained network (in evaluation mode) and what is known of its training (`dataset`, `input_step`, accuracy)."""

    network: ConvNetwork
    spec: NetworkSpec
    info: dict[str, Any]


def save_checkpoint(path: str | Path, network: ConvNetwork, info: dict[str, Any], *, force: bool = False) -> None:
    """Writes the file whole or not at all."""
    content = {
        "format": FORMAT,
        "spec": network.spec.model_dump(mode="json"),
        "info": info,
        "state": {key: value.detach().cpu() for key, value in network.state_dict().items()},
    }
    with atomic_file(path, force=force) as temporary:
        torch.save(content, temporary)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Reads a checkpoint without running any code from it.

    Raises:
        UserError: missing, truncated or foreign file, code in it, unknown layers, NaN weights.
    """
    path = Path(path)
    content = _load_plain(path)
    remedy = "write one with dalif-train"
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError("not a checkpoint of dalif-train", where=str(path), remedy=remedy)
    try:
        spec = NetworkSpec.model_validate(content["spec"])
        state, info = dict(content["state"]), dict(content["info"])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"unknown architecture: {place}: {first['msg']}", where=str(path), remedy=remedy) from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"not a whole checkpoint ({error})", where=str(path), remedy=remedy) from error
    with torch.device("meta"):
        network = build_network(spec)
    if network.readout.in_features > MAX_READOUT_INPUTS:
        raise UserError("describes a network too large to build", where=str(path), remedy=remedy)
    _check_state(path, network, state)
    network.load_state_dict(state, assign=True)
    return Checkpoint(network.eval(), spec, info)


def _load_plain(path: Path) -> Any:
    if not path.is_file():
        raise UserError("no such file", where=str(path), remedy="check the path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    # torch raises many types for damaged and hostile files: unpickling, zip, end of file, key errors
    except Exception as error:
        code = "Unsupported" in str(error) or "weights_only" in str(error).lower()
        what = "holds pickled code, which is never run" if code else "truncated, or not a checkpoint"
        raise UserError(what, where=str(path), remedy="write one with dalif-train") from error


def _check_state(path: Path, network: ConvNetwork, state: dict[str, Any]) -> None:
    wanted = network.state_dict()
    remedy = "train it again with dalif-train"
    for key in wanted.keys() ^ state.keys():
        what = "unknown layer" if key in state else "missing layer"
        raise UserError(f"{what} {key}", where=str(path), remedy=remedy)
    for key, value in state.items():
        if not isinstance(value, torch.Tensor) or value.shape != wanted[key].shape or value.dtype != wanted[key].dtype:
            raise UserError(f"{key} does not fit the architecture", where=str(path), remedy=remedy)
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(f"{key} holds NaN or infinity", where=str(path), remedy=remedy)
