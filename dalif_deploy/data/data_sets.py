"""The one list of data sets. A new one: a module with its loader, an entry here, a recipe in training's DEFAULTS."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from hw_models.errors import UserError

if TYPE_CHECKING:
    from dalif_deploy.data.labelled_data import LabelledData


@dataclass(frozen=True)
class DataSet:
    """Where a data set's loader is, and what it can load.

    Attributes:
        loader: "module:function", the module in this package; called as function(split, data_root).
        splits: the names that the loader takes; "train" and "test" are what a training asks for.
    """

    loader: str
    splits: tuple[str, ...] = ("train", "test")

    def load(self, split: str, data_root: str | None) -> LabelledData:
        """Imports the loader, and calls it."""
        module, function = self.loader.split(":")
        return getattr(import_module(f"dalif_deploy.data.{module}"), function)(split, data_root)


DATA_SETS = {
    "digits": DataSet("digits:load_digits"),
    "fashion-mnist": DataSet("fashion_mnist:load_fashion_mnist"),
    "mnist": DataSet("mnist:load_mnist"),
    "cifar10": DataSet("cifar:load_cifar10"),
    "cifar100": DataSet("cifar:load_cifar100"),
    "imagenet": DataSet("imagenet:load_imagenet", ("train", "val", "test")),
}
NAMES = ", ".join(DATA_SETS)


def find_data_set(spec: str) -> tuple[DataSet, str]:
    """The data set and the split that `NAME:SPLIT` means.

    Raises:
        UserError: there is no such data set or split.
    """
    name, _, split = spec.partition(":")
    if name not in DATA_SETS:
        raise UserError(f"unknown data {spec!r}", remedy=f"give a .npz file or NAME:SPLIT, NAME one of {NAMES}")
    splits = DATA_SETS[name].splits
    if split not in splits:
        choices = " or ".join(f"{name}:{each}" for each in splits)
        raise UserError(f"unknown split {split!r} of {name}", remedy=f"give {choices}")
    return DATA_SETS[name], split
