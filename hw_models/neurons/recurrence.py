"""The one recurrence that NIR's neurons follow when stepped by forward Euler with an explicit dt.

    i = syn_beta * i + syn_gain * x                  (with a synaptic filter; else i = x)
    v = beta * v + gain * i + offset
    spike where v > threshold; there v = reset_value, or v - threshold for reset "subtract"

with v <- v + dt * dv/dt, current updated before the membrane. What the coefficients are of each NIR node stands in that
neuron's file beside this one.

The membrane starts each sample at `reset_value`, which is 0 for reset "subtract" (v_reset is not used there).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypedDict

import nir
import numpy as np

from ..errors import UserError

ZERO = np.array(0.0)
DT_DEFAULT = 1e-4  # what snnTorch and SpikingJelly read a NIR graph with


Reset = Literal["zero", "subtract"]


@dataclass
class NeuronDynamics:
    """Coefficients, each float64 of shape () or broadcastable against the population's shape."""

    beta: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    syn_beta: np.ndarray | None = None
    syn_gain: np.ndarray | None = None
    threshold: np.ndarray | None = None
    reset_value: np.ndarray = field(default_factory=lambda: np.array(0.0))
    reset: Reset = "zero"


class _Reset(TypedDict):
    reset_value: np.ndarray
    reset: Reset


class _Fires(_Reset):
    threshold: np.ndarray


class NodeReader:
    """Parameters of one NIR node, checked, as coefficients of a step of `dt` seconds."""

    def __init__(self, name: str, node: nir.NIRNode, dt: float):
        self.name, self.node, self.dt = name, node, dt

    def __call__(self, key: str) -> np.ndarray:
        """A parameter as it stands, float64, compact."""
        return compact(np.asarray(getattr(self.node, key), dtype=np.float64))

    def fraction(self, key: str) -> np.ndarray:
        """dt / tau of a time constant.

        Raises:
            UserError: dt larger than twice the time constant (the Euler step would grow), or a time constant <= 0.
        """
        tau = self(key)
        if (tau <= 0).any():
            raise UserError(f"{key} must be above 0, got {tau.min()}", where=self.name, remedy="repair the network")
        if (self.dt / tau > 2).any():
            raise UserError(
                f"dt {self.dt:g} s is more than twice {key} {tau.min():g} s, so that the neuron would diverge",
                where=self.name,
                remedy="give the time step the network was trained with (--dt)",
            )
        return self.dt / tau

    def leaky(self, key: str) -> dict[str, np.ndarray]:
        """beta, gain and offset of tau v' = (v_leak - v) + r i, whose tau is called `key`."""
        membrane = self.fraction(key)
        gain, offset = self("r") * membrane, self("v_leak") * membrane
        return {"beta": compact(1 - membrane), "gain": compact(gain), "offset": compact(offset)}

    def integrating(self) -> dict[str, np.ndarray]:
        """beta, gain and offset of v' = r i."""
        return {"beta": np.array(1.0), "gain": self("r") * self.dt, "offset": ZERO}

    def synapse(self) -> dict[str, np.ndarray]:
        """syn_beta and syn_gain of tau_syn i' = -i + w_in x."""
        synapse = self.fraction("tau_syn")
        return {"syn_beta": 1 - synapse, "syn_gain": self("w_in") * synapse}

    def fires(self) -> _Fires:
        """Threshold and reset of a neuron with a v_threshold."""
        return _Fires(threshold=self("v_threshold"), **self.reads())

    def reads(self) -> _Reset:
        """The reset, which says where the membrane starts; of a neuron that never fires too."""
        reset = reset_mode(self.name, self.node)
        keeps_rest = reset == "subtract" or getattr(self.node, "v_reset", None) is None
        return _Reset(reset=reset, reset_value=ZERO if keeps_rest else self("v_reset"))


def reset_mode(name: str, node: nir.NIRNode) -> Reset:
    """Reset of a node from its metadata ("reset": "zero" or "subtract"); NIR's own equation resets to v_reset."""
    mode = (getattr(node, "metadata", None) or {}).get("reset", "zero")
    mode = mode.decode(errors="replace") if isinstance(mode, bytes) else str(mode)
    if mode == "zero":
        return "zero"
    if mode == "subtract":
        return "subtract"
    raise UserError(f"unknown reset {mode!r} in the metadata", where=name, remedy="use zero or subtract")


def compact(array: np.ndarray) -> np.ndarray:
    """The same values with axes of equal entries reduced: () if all are equal, (C, 1, 1) if equal a channel."""
    if array.size == 0:
        return array
    if (array == array.flat[0]).all():
        return np.array(array.flat[0])
    if array.ndim > 1:
        per_channel = array.reshape(len(array), -1)
        if (per_channel == per_channel[:, :1]).all():
            return per_channel[:, 0].reshape(-1, *[1] * (array.ndim - 1)).copy()
    return array
