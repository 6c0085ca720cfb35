"""What computes here: devices by the names that commands take, and the cores of the processor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    import torch

CHOICES = "auto, cpu, cuda, cuda:N or mps"
_REMEDY = f"give {CHOICES}"


def chosen_device(name: str) -> torch.device:
    """The device that `name` means: "auto" is the first GPU, else Apple's, else the CPU.

    Raises:
        UserError: no such name, or this machine (or its torch) has no such device.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdecimal())) or name[-1] == ":":
        raise UserError(f"unknown device {name!r}", where="--device", remedy=_REMEDY)
    if kind == "cuda" and not torch.cuda.is_available():
        what = "no GPU that torch can use" if torch.version.cuda or torch.version.hip else "this torch knows no GPU"
        raise UserError(what, where=f"--device {name}", remedy="use --device cpu, or install a driver and torch for it")
    if index and int(index) >= torch.cuda.device_count():
        what = f"there are {torch.cuda.device_count()} GPUs, counted from 0"
        raise UserError(what, where=f"--device {name}", remedy="choose one of them")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UserError("no Apple GPU that torch can use", where="--device mps", remedy="use --device cpu")
    return torch.device(name)


def processor_cores() -> int:
    """Cores that this process may use; a container or a batch system may give fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
