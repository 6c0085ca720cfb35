"""One training in one process, or in several that torchrun started."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import torch

from dalif_deploy.hw_models.errors import UserError

if TYPE_CHECKING:
    from lightning_fabric.plugins import MixedPrecision

CPU = torch.device("cpu")
FULL = "32"


class Processes(Protocol):
    """What the training loop asks of them. `share`s are equal parts in order of `rank`.

    Attributes:
        device: of this process: where the network's parameters must be.
    """

    rank: int
    count: int
    device: torch.device

    def ready(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Network and optimizer as the loop is to use them; the network's parameters stay the same objects."""

    def autocast(self) -> AbstractContextManager[Any]:
        """The precision of the training, for what is not made `ready`."""

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients of the mean of all processes' losses."""

    def total(self, numbers: list[float]) -> list[float]:
        """Each number summed over the processes."""

    def state_dict(self) -> dict[str, Any]:
        """What must be kept for a training to go on, besides its network and optimizer."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes back to what `state_dict` gave."""


class OneProcess:
    """No others; full precision on any device."""

    rank, count = 0, 1

    def __init__(self, device: torch.device = CPU):
        self.device = device

    def ready(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """As they are."""
        return network, optimizer

    def autocast(self) -> AbstractContextManager[Any]:
        """Full precision."""
        return nullcontext()

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients of the loss."""
        loss.backward()

    def total(self, numbers: list[float]) -> list[float]:
        """As they are."""
        return numbers

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to go back to."""


class FabricProcesses:
    """Lightning Fabric: mixed precision, and torch.distributed at the place that torchrun gave this process.

    Processes on CPUs speak over gloo, those on GPUs (one each) over nccl.
    """

    def __init__(self, device: torch.device, precision: str) -> None:
        try:
            from lightning_fabric import Fabric
            from lightning_fabric.strategies.ddp import DDPStrategy
        except ImportError as error:
            raise UserError(
                "several processes and mixed precision need Lightning Fabric",
                remedy="pip install 'dalif-deploy[distributed]'",
            ) from error

        several = several_processes()
        local = int(os.environ["LOCAL_WORLD_SIZE"]) if several else 1
        self.fabric = Fabric(
            accelerator=device.type,
            strategy=DDPStrategy() if several else "auto",  # its backend is the device's: gloo, nccl
            devices=local if several or device.index is None else [device.index],
            num_nodes=int(os.environ["WORLD_SIZE"]) // local if several else 1,
            plugins=None if precision == FULL else _mixed(precision, device),
        )
        self.fabric.launch()
        self.rank, self.count, self.device = self.fabric.global_rank, self.fabric.world_size, self.fabric.device

    def ready(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Wrapped so that gradients and batch norm are those of the global batch."""
        from dalif_deploy.training.global_batch_norm import make_batch_norms_global

        if self.count > 1:
            make_batch_norms_global(network)
        wrapped, optimizer = self.fabric.setup(network, optimizer)
        wrapped.mark_forward_method("logits_per_step")
        return wrapped, optimizer

    def autocast(self) -> AbstractContextManager[Any]:
        """Fabric's, of the precision."""
        return self.fabric.autocast()

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients of the mean of all processes' losses."""
        self.fabric.backward(loss)

    def total(self, numbers: list[float]) -> list[float]:
        """Each number summed over the processes."""
        if self.count == 1:
            return numbers
        summed = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(summed)
        return summed.tolist()

    def state_dict(self) -> dict[str, Any]:
        """Of the gradients' scaler, where the precision has one."""
        state: dict[str, Any] = self.fabric.strategy.precision.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Empty where the precision was another."""
        if state:
            self.fabric.strategy.precision.load_state_dict(state)


def _mixed(precision: str, device: torch.device) -> MixedPrecision:
    from lightning_fabric.plugins import MixedPrecision

    class Mixed(MixedPrecision):
        """Fabric's, but for the images: rounded to 8 bits of mantissa, a chip's levels would be others."""

        def convert_input(self, data: Any) -> Any:
            return data

    return Mixed(precision, device.type)  # type: ignore[arg-type]  # the configuration takes no other


def several_processes() -> bool:
    """True under torchrun with more than one."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "LOCAL_WORLD_SIZE" in os.environ


def this_process(device: torch.device = CPU, precision: str = FULL) -> Processes:
    """Which of them this one is, from the environment that torchrun sets.

    Args:
        device: with several processes its kind: each has a device of its own.
        precision: "32", "bf16-mixed" or "16-mixed".

    Raises:
        UserError: a precision that the device does not have, one GPU for several processes, or Fabric is missing.
    """
    if precision == "16-mixed" and device.type == "cpu":
        remedy = "use bf16-mixed, which a CPU has, or 32"
        raise UserError("a CPU can't train in 16-bit floats", where="--precision 16-mixed", remedy=remedy)
    if several_processes():
        if device.index is not None:
            remedy = "give --device cuda: each process takes the GPU of its local rank"
            raise UserError("several processes can't share one GPU", where=f"--device {device}", remedy=remedy)
        return FabricProcesses(device, precision)
    return OneProcess(device) if precision == FULL else FabricProcesses(device, precision)
