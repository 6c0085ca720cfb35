"""NIR's neurons, stepped by forward Euler with an explicit dt, as one affine recurrence.

    i = syn_beta * i + syn_gain * x                  (CubaLIF, CubaLI; else i = x)
    v = beta * v + gain * i + offset
    spike where v > threshold; there v = reset_value, or v - threshold for reset "subtract"

from NIR's equations (nir/ir/neuron.py) with v <- v + dt * dv/dt, current updated before the membrane:

    LIF      tau v' = (v_leak - v) + r i        beta = 1 - dt/tau, gain = r dt/tau, offset = v_leak dt/tau
    IF, I    v' = r i                           beta = 1, gain = r dt, offset = 0
    CubaLIF  tau_syn i' = -i + w_in x           syn_beta = 1 - dt/tau_syn, syn_gain = w_in dt/tau_syn
    Threshold  no state                         beta = 0, gain = 1

The membrane starts each sample at `reset_value`, which is 0 for reset "subtract" (v_reset is not used there).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import nir
import numpy as np

from ..errors import UserError

DT_DEFAULT = 1e-4  # what snnTorch and SpikingJelly read a NIR graph with


@dataclass
class NeuronDynamics:
    """Coefficients, each float64 of shape () or broadcastable against the population's shape."""

    beta: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    syn_beta: np.ndarray | None
    syn_gain: np.ndarray | None
    threshold: np.ndarray | None
    reset_value: np.ndarray
    reset: Literal["zero", "subtract"]


def neuron_dynamics(name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
    """Coefficients of a NIR neuron at time step `dt` (seconds).

    Raises:
        UserError: dt larger than twice a time constant (the Euler step would grow), or a time constant <= 0.
    """

    def get(key: str) -> np.ndarray:
        return compact(np.asarray(getattr(node, key), dtype=np.float64))

    def fraction(key: str) -> np.ndarray:
        tau = get(key)
        if (tau <= 0).any():
            raise UserError(f"{key} must be above 0, got {tau.min()}", where=name, remedy="repair the network")
        if (dt / tau > 2).any():
            raise UserError(
                f"dt {dt:g} s is more than twice {key} {tau.min():g} s, so that the neuron would diverge",
                where=name,
                remedy="give the time step the network was trained with (--dt)",
            )
        return dt / tau

    zero = np.array(0.0)
    threshold = None
    for key in ("v_threshold", "threshold"):
        if hasattr(node, key):
            threshold = get(key)
    reset = reset_mode(name, node)
    keeps_rest = reset == "subtract" or getattr(node, "v_reset", None) is None
    reset_value = zero if keeps_rest else get("v_reset")
    if isinstance(node, nir.Threshold):
        return NeuronDynamics(zero, np.array(1.0), zero, None, None, threshold, zero, "zero")
    if isinstance(node, nir.IF | nir.I):
        return NeuronDynamics(np.array(1.0), get("r") * dt, zero, None, None, threshold, reset_value, reset)
    membrane = fraction("tau_mem" if isinstance(node, nir.CubaLIF | nir.CubaLI) else "tau")
    gain, offset = get("r") * membrane, get("v_leak") * membrane
    syn_beta = syn_gain = None
    if isinstance(node, nir.CubaLIF | nir.CubaLI):
        synapse = fraction("tau_syn")
        syn_beta, syn_gain = 1 - synapse, get("w_in") * synapse
    return NeuronDynamics(
        compact(1 - membrane),
        compact(gain),
        compact(offset),
        syn_beta,
        syn_gain,
        threshold,
        reset_value,
        reset,
    )


def reset_mode(name: str, node: nir.NIRNode) -> Literal["zero", "subtract"]:
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
