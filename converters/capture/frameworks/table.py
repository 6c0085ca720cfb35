"""Which frameworks are known. One is looked into only if the person's own code has imported it."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

from ..population import Neuron

# name -> what is imported wherever it is in use
FRAMEWORKS = {
    "snntorch": "snntorch",
    "spikingjelly": "spikingjelly.activation_based.neuron",
    "norse": "norse.torch",
    "sinabs": "sinabs.layers",
    "dalif": "dalif_deploy.neuron",
}


def in_use() -> dict[str, ModuleType]:
    """The tables of the frameworks that are imported; of no other can a module hold neurons."""
    return {
        name: importlib.import_module(f"..frameworks.{name}", __package__)
        for name, needed in FRAMEWORKS.items()
        if needed in sys.modules
    }


def neuron_of(name: str, module: nn.Module) -> Neuron | None:
    """How a module is called if it is a neuron of any of them."""
    for framework in in_use().values():
        found: Neuron | None = framework.neuron(name, module)
        if found is not None:
            return found
    return None


def framework_of(model: nn.Module) -> list[str]:
    """Names of the frameworks whose neurons `model` has."""
    names = []
    for name, framework in in_use().items():
        if any(_is_neuron(framework, label, module) for label, module in model.named_modules()):
            names.append(name)
    return names


def _is_neuron(framework: ModuleType, name: str, module: nn.Module) -> bool:
    try:
        return framework.neuron(name, module) is not None
    except UserError:
        return True


def reset(model: nn.Module) -> None:
    """All states of all neurons back to rest."""
    for framework in in_use().values():
        if hasattr(framework, "reset"):
            framework.reset(model)


def prepare(model: nn.Module, steps: int) -> None:
    """Tells a copy of a module how many steps it is about to run, where its layers want to know."""
    for framework in in_use().values():
        if hasattr(framework, "prepare"):
            framework.prepare(model, steps)


def with_time(model: nn.Module, example: torch.Tensor) -> torch.Tensor | None:
    """[N, T, *shape] of an example whose first axis is N * T; None if the module has no layers of that form."""
    for framework in in_use().values():
        if hasattr(framework, "with_time"):
            found: torch.Tensor | None = framework.with_time(model, example)
            if found is not None:
                return found
    return None
