"""Neurons of a .net file's layer as registers."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from dalif_deploy.hw_models.chip_network.form import NO_CURRENT_FILTER, VTH_MAX
from dalif_deploy.hw_models.errors import UserError

# Ends of the registers as the file counts them; SLAYER writes 2^18 - 1 for neurons that shall never fire
RANGES = {"iDecay": (1, 4096), "vDecay": (0, 4095), "vThMant": (0, (1 << 18) - 1)}


def read_neuron(name: str, neuron: h5py.Group, shape: tuple[int, ...]) -> dict[str, Any]:
    """Arguments `du`, `dv`, `vth` and `fires` of a Population: one value a layer, or one a channel.

    Raises:
        UserError: neurons of another kind, registers out of their range.
    """
    kind = text_of(neuron["type"])
    if kind not in ("LOIHI", "CUBA"):
        raise UserError(f"neurons of type {kind}", where=name, remedy="LOIHI and CUBA are supported")
    if "gradedSpike" in neuron and bool(np.any(neuron["gradedSpike"])):
        raise UserError("graded spikes", where=name, remedy="only binary ones are supported")
    if "refDelay" in neuron and int(np.max(neuron["refDelay"])) > 1:
        raise UserError(
            "a refractory delay, which Lava's neurons do not have either", where=name, remedy="train without"
        )
    registers = {}
    for key, (low, high) in RANGES.items():
        value = np.ravel(neuron[key][()]).astype(np.int64)
        if value.size not in (1, shape[0]):
            raise UserError(f"{value.size} values of {key}", where=name, remedy="give one, or one a channel")
        if value.min() < low or value.max() > high:
            raise UserError(
                f"register {key} of {value.min()}..{value.max()}", where=name, remedy=f"it holds {low} to {high}"
            )
        registers[key] = value[0] if value.size == 1 else value.reshape(-1, *[1] * (len(shape) - 1))
    vth = np.asarray(registers["vThMant"])
    never = vth > VTH_MAX  # beyond the membrane's own clip
    if never.any() and not never.all():
        raise UserError("neurons that never fire beside others", where=name, remedy="give them a layer of their own")
    return {
        "du": np.asarray(registers["iDecay"] - 1),
        "dv": np.asarray(registers["vDecay"]),
        "vth": np.minimum(vth, VTH_MAX),
        "fires": not never.any(),
    }


def integrator() -> dict[str, Any]:
    """Registers of a layer without neurons: netx keeps its current for ever, so that it is the sum of all input."""
    return {"du": np.array(NO_CURRENT_FILTER), "dv": np.array(0), "vth": np.array(VTH_MAX), "fires": False}


def text_of(dataset: h5py.Dataset) -> str:
    """A string of the file, stored alone or in an array of one."""
    value = np.ravel(dataset[()])[0]
    return value.decode("ascii") if isinstance(value, bytes) else str(value)
