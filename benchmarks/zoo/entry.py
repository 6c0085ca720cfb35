"""What a network of the zoo is, besides its module: real samples, and how its tutorial calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from .alive import settle

Run = Callable[[nn.Module, torch.Tensor], Any]


@dataclass(frozen=True)
class ZooNetwork:
    """A network as a tutorial or a model zoo writes it.

    Attributes:
        name: a short slug, unique.
        framework: "snnTorch", "SpikingJelly", "Norse", "sinabs", "PyTorch" or "dalif-deploy".
        follows: the tutorial or the file of the zoo that it is written after.
        make: gives the module as its author would, untrained.
        example: real samples, as `layout` says.
        steps: T, of one sample.
        run: module, example -> what the tutorial's own script looks at, called for inference as that script does it:
            with its loop over time, resets and so on.
        layout: of the example: "static" ([N, *shape], shown at each step), "time_first" ([T, N, *shape]),
            "time_second" ([N, T, *shape]), "time_last" ([N, *shape, T]) or "squeezed" (sinabs: [N * T, *shape]).
        loop: "module" where one call of the module goes through all steps, "caller" where a call is one step, "none"
            for a ReLU network, which has no steps until it is converted.
        refused_for: what the chip cannot compute of it, or None.
        not_followed: what the capture does not follow of it though the chip could compute it, or None.
        large: takes more than a few seconds.
        lava_minutes: that Lava may take for one sample, of a network that is too large for it otherwise; 0: not run.
        coded: True if the forward codes its data itself, so that its graph takes the coded samples.
        silent: names of neuron modules that are not meant to fire, or to fire always.
    """

    name: str
    framework: str
    follows: str
    make: Callable[[], nn.Module]
    example: Callable[[], torch.Tensor]
    steps: int
    run: Run
    layout: Literal["static", "time_first", "time_second", "time_last", "squeezed"] = "static"
    loop: Literal["module", "caller", "none"] = "module"
    refused_for: str | None = None
    not_followed: str | None = None
    large: bool = False
    lava_minutes: float = 0
    coded: bool = False
    silent: tuple[str, ...] = ()

    def build(self) -> nn.Module:
        """The module with fixed random weights, changed until it is alive on the example; in eval mode."""
        torch.manual_seed(0)
        model = self.make().eval()
        example = self.example()
        settle(model, lambda: self.run(model, example), self.silent)
        return model

    def export_example(self) -> tuple[torch.Tensor, int | None]:
        """The example with a sample's shape as `dalif_deploy.export` takes it, and which of its axes is time."""
        example = self.example()
        if self.layout == "squeezed":
            return example.unflatten(0, (-1, self.steps)), 1
        return example, {"static": None, "time_first": 0, "time_second": 1, "time_last": -1}[self.layout]


def called_once(model: nn.Module, x: torch.Tensor) -> Any:
    """The `run` of a module that needs nothing but its input."""
    return model(x)


def called_with_seed(model: nn.Module, x: torch.Tensor) -> Any:
    """The same of a module that draws random numbers."""
    torch.manual_seed(1)
    return model(x)
