"""One training in one process, or in several that torchrun started."""

from __future__ import annotations

import os
from typing import Any, Protocol

import torch

from dalif_deploy.hw_models.errors import UserError


class Processes(Protocol):
    """What the training loop asks of them. `share`s are equal parts in order of `rank`."""

    rank: int
    count: int

    def ready(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Network and optimizer as the loop is to use them; the network's parameters stay the same objects."""

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients of the mean of all processes' losses."""

    def total(self, numbers: list[float]) -> list[float]:
        """Each number summed over the processes."""


class OneProcess:
    """No others."""

    rank, count = 0, 1

    def ready(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """As they are."""
        return network, optimizer

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients of the loss."""
        loss.backward()

    def total(self, numbers: list[float]) -> list[float]:
        """As they are."""
        return numbers


class FabricProcesses:
    """Lightning Fabric over torch.distributed, on the CPU with gloo, at the place that torchrun gave this process."""

    def __init__(self) -> None:
        try:
            from lightning_fabric import Fabric
            from lightning_fabric.strategies.ddp import DDPStrategy
        except ImportError as error:
            raise UserError(
                "several processes need Lightning Fabric", remedy="pip install 'dalif-deploy[distributed]'"
            ) from error

        local = int(os.environ["LOCAL_WORLD_SIZE"])
        strategy = DDPStrategy(process_group_backend="gloo")
        nodes = int(os.environ["WORLD_SIZE"]) // local
        self.fabric = Fabric(accelerator="cpu", strategy=strategy, devices=local, num_nodes=nodes)
        self.fabric.launch()
        self.rank, self.count = self.fabric.global_rank, self.fabric.world_size

    def ready(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Wrapped so that gradients and batch norm are those of the global batch."""
        from dalif_deploy.training.global_batch_norm import make_batch_norms_global

        make_batch_norms_global(network)
        wrapped, optimizer = self.fabric.setup(network, optimizer)
        wrapped.mark_forward_method("logits_per_step")
        return wrapped, optimizer

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients of the mean of all processes' losses."""
        self.fabric.backward(loss)

    def total(self, numbers: list[float]) -> list[float]:
        """Each number summed over the processes."""
        summed = torch.tensor(numbers, dtype=torch.float64)
        torch.distributed.all_reduce(summed)
        return summed.tolist()


def this_process() -> Processes:
    """Which of them this one is, from the environment that torchrun sets."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and "LOCAL_WORLD_SIZE" in os.environ:
        return FabricProcesses()
    return OneProcess()
