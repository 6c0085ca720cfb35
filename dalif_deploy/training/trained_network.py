"""A trained network that another training takes: to start with, or for a teacher."""

from __future__ import annotations

from pathlib import Path

import torch

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.networks import SpikingNetwork
from dalif_deploy.networks.checkpoint import load_checkpoint
from dalif_deploy.zoo import zoo_file


def trained_file(given: str) -> Path:
    """The checkpoint that a path, the folder of a training, or "zoo:NAME" means.

    Raises:
        UserError: there is no such network in the zoo.
    """
    path = zoo_file(given)
    return path / "model.pt" if path.is_dir() else path


def start_from(network: SpikingNetwork, trained: str) -> None:
    """Gives a network the weights, batch norm averages and decays of a trained one.

    Args:
        trained: see `trained_file`.

    Raises:
        UserError: not a checkpoint, or one of other layers.
    """
    found = load_checkpoint(trained_file(trained)).network.state_dict()
    wanted = network.state_dict()
    for key in [*wanted, *found]:
        if key not in found or key not in wanted or found[key].shape != wanted[key].shape:
            has, wants = (_size(each.get(key)) for each in (found, wanted))
            what = f"has other layers than the network to be trained: {key} is {has} there, {wants} here"
            raise UserError(what, where=trained, remedy="give the same --arch, --channels, --strides and --decays-per")
    network.load_state_dict(found)


def _size(value: torch.Tensor | None) -> str:
    return "missing" if value is None else str(list(value.shape))
