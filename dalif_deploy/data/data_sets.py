"""The one list of data sets. A new one: a module with its loader, an entry here, a recipe in training's DEFAULTS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from dalif_deploy.hw_models.errors import UserError

if TYPE_CHECKING:
    from dalif_deploy.data.labelled_data import LabelledData


@dataclass(frozen=True)
class DataSet:
    """Where a data set's loader is, and what it can load.

    Attributes:
        loader: "module:function", the module in this package; called as function(split, data_root).
        splits: the names that the loader takes; "train" and "test" are what a training asks for.
        licence: of the data, as those say who give it away.
        simulated: computed, not recorded.
        events: frames of events: the loader is called as function(split, data_root, steps).
        length: steps of each sample, where these are sequences whose length the data says.
    """

    loader: str
    splits: tuple[str, ...] = ("train", "test")
    events: bool = False
    simulated: bool = False
    licence: str = "see where it comes from"
    length: int | None = None

    def load(self, split: str, data_root: str | None, steps: int | None = None) -> LabelledData:
        """Imports the loader, and calls it.

        Args:
            steps: frames that a sample of events is counted in.

        Raises:
            UserError: events without `steps`, sequences of another length, and what the loader raises.
        """
        if self.length is not None and steps not in (None, self.length):
            raise UserError(f"a sample has {self.length} steps, not {steps}", remedy=f"give --steps {self.length}")
        module, function = self.loader.split(":")
        load: Callable[..., LabelledData] = getattr(import_module(f"dalif_deploy.data.{module}"), function)
        if not self.events:
            return load(split, data_root)
        if steps is None:
            raise UserError("events are counted in as many frames as a sample has steps", remedy="give --steps")
        return load(split, data_root, steps)


DATA_SETS = {
    "digits": DataSet("digits:load_digits", licence="CC BY 4.0 (UCI, in scikit-learn)"),
    "fashion-mnist": DataSet("fashion_mnist:load_fashion_mnist", licence="MIT (Zalando)"),
    # a row of pixels a step
    "digits-rows": DataSet("row_sets:load_digits_rows", length=8),
    "fashion-rows": DataSet("row_sets:load_fashion_rows", length=28),
    "mnist": DataSet("mnist:load_mnist"),
    "cifar10": DataSet("cifar:load_cifar10"),
    "cifar100": DataSet("cifar:load_cifar100"),
    "imagenet": DataSet("imagenet:load_imagenet", ("train", "val", "test")),
    # simulated events of a camera that moves before the images
    "mnist-motion": DataSet("motion_sets:load_mnist_motion", events=True, simulated=True),
    "fashion-motion": DataSet("motion_sets:load_fashion_motion", events=True, simulated=True),
    "cifar10-motion": DataSet("motion_sets:load_cifar10_motion", events=True, simulated=True),
    # simulated events whose direction or speed is the label
    "digits-direction": DataSet("passing_sets:load_digits_direction", events=True, simulated=True),
    "digits-speed": DataSet("passing_sets:load_digits_speed", events=True, simulated=True),
    "cifar10-dvs": DataSet("event_sets:load_cifar10_dvs", events=True),
    "dvs128-gesture": DataSet("event_sets:load_dvs128_gesture", events=True),
}
NAMES = ", ".join(f"{name} (simulated events)" if each.simulated else name for name, each in DATA_SETS.items())


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
