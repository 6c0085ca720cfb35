"""Random weights that make every spiking layer fire: a silent network would agree with anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

# The base classes of the frameworks' neurons, by name: none has to be installed for those of another.
NEURONS = {"SpikingNeuron", "BaseNode", "SNNCell", "SNN", "SNNRecurrentCell", "SNNRecurrent", "StatefulLayer", "DALIF"}
NEURONS |= {"HandWrittenLIF"}  # of plain_torch
INTEGRATORS = {"LICell", "LI", "LIBoxCell", "ExpLeak"}  # of the same base classes, but they never fire
LOWEST, HIGHEST, ROUNDS = 0.06, 0.5, 40


def spiking_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The modules of a network that fire, by name."""
    return {name: module for name, module in model.named_modules() if _fires(module)}


def firing_rates(model: nn.Module, call: Callable[[], Any]) -> dict[str, float]:
    """Share of steps and neurons at which each spiking layer fired during `call`; without layers that never ran."""
    return {name: rate for name, (rate, _) in _watched(model, call).items()}


def settle(model: nn.Module, call: Callable[[], Any], silent: tuple[str, ...] = ()) -> None:
    """Changes weights in place until each spiking layer fires at between 6 % and 50 % of steps; batch norms follow.

    What is changed for a layer are the weights, or the batch norm, that ran last before it.
    """
    for _ in range(ROUNDS):
        _settle_norms(model, call)
        seen = {name: value for name, value in _watched(model, call).items() if name not in silent}
        wrong = [(rate, driver) for rate, driver in seen.values() if not LOWEST <= rate <= HIGHEST and driver]
        if not wrong:
            return
        for rate, driver in wrong:
            (_louder if rate < LOWEST else _quieter)(driver)


def _fires(module: nn.Module) -> bool:
    bases = {base.__name__ for base in type(module).__mro__}
    return bool(bases & NEURONS) and not bases & INTEGRATORS


def _watched(model: nn.Module, call: Callable[[], Any]) -> dict[str, tuple[float, nn.Module | None]]:
    """Rate of each spiking layer, and the module with weights that ran last before its first call."""
    layers = {module: name for name, module in spiking_layers(model).items()}
    fired: dict[str, list[tuple[float, int]]] = {}
    drivers: dict[str, nn.Module | None] = {}
    last: list[nn.Module | None] = [None]

    def entered(module: nn.Module, _arguments: Any) -> None:
        if module in layers:
            drivers.setdefault(layers[module], module if hasattr(module, "input_weights") else last[0])

    def left(module: nn.Module, _arguments: Any, out: Any) -> None:
        if module in layers:
            spikes = out[0] if isinstance(out, tuple) else out
            fired.setdefault(layers[module], []).append((float((spikes != 0).double().sum()), spikes.numel()))
        elif isinstance(getattr(module, "weight", None), torch.Tensor):
            last[0] = module

    with torch.no_grad(), _hooked(model, entered, left):
        call()
    return {
        name: (sum(n for n, _ in counts) / sum(n for _, n in counts), drivers[name]) for name, counts in fired.items()
    }


@contextmanager
def _hooked(model: nn.Module, entered: Callable[..., None], left: Callable[..., None]) -> Iterator[None]:
    handles = [module.register_forward_pre_hook(entered) for module in model.modules()]
    handles += [module.register_forward_hook(left) for module in model.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _settle_norms(model: nn.Module, call: Callable[[], Any]) -> None:
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the calls
        norm.train()
    with torch.no_grad():
        call()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


@torch.no_grad()
def _louder(driver: nn.Module) -> None:
    """Larger weights, and more of them above 0: scaling alone does nothing for a neuron that is inhibited."""
    weight = _weight(driver)
    if weight.ndim == 1:  # a batch norm's
        weight.mul_(1.2)
        driver.bias.add_(0.1)
    else:
        _assign(driver, weight * 1.2 + 0.1 * weight.std())


@torch.no_grad()
def _quieter(driver: nn.Module) -> None:
    _assign(driver, _weight(driver) * 0.8)
    if isinstance(getattr(driver, "bias", None), torch.Tensor):
        driver.bias.mul_(0.8)


def _weight(driver: nn.Module) -> torch.Tensor:
    return driver.input_weights if hasattr(driver, "input_weights") else driver.weight


def _assign(driver: nn.Module, value: torch.Tensor) -> None:
    if parametrize.is_parametrized(driver, "weight"):
        driver.weight = value
    else:
        _weight(driver).copy_(value)
