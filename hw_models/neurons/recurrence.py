"""The one recurrence that NIR's neurons follow when stepped by forward Euler with an explicit dt.

    i = syn_beta * i + syn_gain * x                  (with a synaptic filter; else i = x)
    v = beta * v + gain * i + offset, and not below v_min
    spike where v > threshold; there v = reset_value, or v - threshold for reset "subtract"

with v <- v + dt * dv/dt, current updated before the membrane. What the coefficients are of each NIR node stands in that
neuron's file beside this one.

The membrane starts each sample at `reset_value`, which is 0 for reset "subtract" (v_reset is not used there).

NIR has no word for four things that frameworks' neurons do. They stand in a node's metadata, as "reset" does: `v_min`,
the lowest membrane; `v_start`, the one before the first step; `refractory`, steps after a spike in which the
membrane stays at `reset_value` while the current goes on; and `max_spikes`, above 1 where a neuron fires once for each
time that its membrane lies above the threshold, at most so often in a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import nir
import numpy as np

from ..chip_network.form import MOST_REFRACTORY, MOST_SPIKES, NeuronOption, Reset, neuron_options
from ..errors import UserError

ZERO = np.array(0.0)
DT_DEFAULT = 1e-4  # what snnTorch and SpikingJelly read a NIR graph with


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
    v_min: np.ndarray | None = None
    v_start: np.ndarray | None = None  # None: at reset_value
    refractory: int = 0
    max_spikes: int = 1

    @property
    def start(self) -> np.ndarray:
        """The membrane before the first step."""
        return self.reset_value if self.v_start is None else self.v_start

    @property
    def options(self) -> tuple[NeuronOption, ...]:
        """What this neuron needs of a chip beside decay, filter, threshold and reset."""
        starts = self.v_start is not None
        return neuron_options(self.v_min is not None, starts, self.refractory > 0, self.max_spikes > 1)


class _Reset(TypedDict):
    reset_value: np.ndarray
    reset: Reset
    v_min: np.ndarray | None
    v_start: np.ndarray | None
    refractory: int
    max_spikes: int


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
        value = ZERO if keeps_rest else self("v_reset")
        v_min, v_start = self._option("v_min"), self._option("v_start")
        if v_min is not None and (v_min > value).any():
            raise UserError("v_min lies above the reset value", where=self.name, remedy="lower v_min in training")
        if v_start is not None and (v_start == value).all():
            v_start = None
        refractory, many = self._whole("refractory", 0, MOST_REFRACTORY), self._whole("max_spikes", 1, MOST_SPIKES)
        return _Reset(
            reset=reset, reset_value=value, v_min=v_min, v_start=v_start, refractory=refractory, max_spikes=many
        )

    def _option(self, key: str) -> np.ndarray | None:
        """A number, or one a neuron, from the metadata."""
        value = (getattr(self.node, "metadata", None) or {}).get(key)
        if value is None:
            return None
        shape = np.shape(getattr(self.node, "v_threshold", getattr(self.node, "r", value)))
        array = np.asarray(value)
        fits = array.shape in ((), (1,)) or shape in ((), (1,), array.shape)
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all() or not fits:
            raise UserError(f"unusable {key} in the metadata", where=self.name, remedy="repair the network")
        return compact(array.astype(np.float64))

    def _whole(self, key: str, lowest: int, highest: int) -> int:
        """A whole number from the metadata, `lowest` where there is none."""
        value = (getattr(self.node, "metadata", None) or {}).get(key, lowest)
        number = np.asarray(value)
        if number.shape != () or number.dtype.kind not in "iu" or not lowest <= number <= highest:
            raise UserError(f"unusable {key} {value} in the metadata", where=self.name, remedy="repair the network")
        return int(number)


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
