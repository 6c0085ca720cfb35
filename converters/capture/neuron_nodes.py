"""NIR's neurons from the coefficients that frameworks step them with."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import torch

from .population import NeuronNodes

DT = 1e-4  # seconds a step, where a framework has steps only; what snnTorch and SpikingJelly read a NIR graph with

Shape = tuple[int, ...]


def numbers(value: Any, shape: Shape) -> np.ndarray:
    """float64 of `shape` from a number or tensor that broadcasts against it; (C,) means channels of (C, H, W)."""
    array = value.detach().to(torch.float64).numpy() if isinstance(value, torch.Tensor) else np.asarray(value, float)
    array = np.asarray(array)
    array = np.squeeze(array, axis=0) if array.ndim == len(shape) + 1 and len(array) == 1 else array
    try:
        return np.array(np.broadcast_to(array, shape))
    except ValueError:
        return np.array(np.broadcast_to(array.reshape(-1, *[1] * (len(shape) - 1)), shape))


def below(threshold: np.ndarray) -> np.ndarray:
    """The largest float below: firing above it (NIR) is firing on the threshold itself."""
    return np.asarray(np.nextafter(threshold, -np.inf))


def leaky(
    shape: Shape,
    *,
    beta: Any,
    gain: Any,
    threshold: Any,
    reset: str,
    v_reset: Any = 0.0,
    rest: Any = 0.0,
    synapse: tuple[Any, Any] | None = None,
    lowest: Any = None,
    start: Any = None,
    refractory: int = 0,
    max_spikes: int = 1,
    dt: float = DT,
) -> nir.NIRNode:
    """v = beta v + gain i + (1 - beta) rest, which fires above `threshold`; without one it never does.

    Args:
        reset: "zero" (to v_reset) or "subtract".
        synapse: (beta, gain) of i = beta i + gain x; i = x without it.
        lowest: the membrane's bound from below, None for none.
        start: the membrane before the first step; None where it resets to.
        refractory: steps after a spike in which it stays there.
        max_spikes: most spikes of a step.
    """
    node = _plain_leaky(shape, beta, gain, threshold, reset, v_reset, rest, synapse, dt)
    options = {"v_min": lowest, "v_start": start}
    said = {key: _metadata(value, shape) for key, value in options.items() if value is not None}
    if threshold is not None:
        said |= {"refractory": refractory} if refractory else {}
        said |= {"max_spikes": max_spikes} if max_spikes > 1 else {}
    if said:
        node.metadata = {**(node.metadata or {}), **said}
    return node


def _metadata(value: Any, shape: Shape) -> float | np.ndarray:
    """One number, or one a neuron."""
    array = numbers(value, shape)
    return float(array.flat[0]) if (array == array.flat[0]).all() else array


def _plain_leaky(
    shape: Shape, beta: Any, gain: Any, threshold: Any, reset: str, v_reset: Any, rest: Any,
    synapse: tuple[Any, Any] | None, dt: float,
) -> nir.NIRNode:  # fmt: skip
    beta, gain, rest = (numbers(v, shape) for v in (beta, gain, rest))
    fires: dict[str, Any] = {}
    if threshold is not None:
        fires = {"v_threshold": numbers(threshold, shape), "v_reset": numbers(v_reset, shape)}
        if reset == "subtract":
            fires["metadata"] = {"reset": "subtract"}
    holds = bool((beta == 1).all())
    if synapse is not None:
        # where a membrane holds for ever, its time constant is so long that a step changes nothing of a float64
        tau = _tau(beta, dt)
        syn_beta, syn_gain = (numbers(v, shape) for v in synapse)
        tau_syn = dt / (1 - syn_beta)
        kind = nir.CubaLI if threshold is None else nir.CubaLIF
        return kind(tau_syn=tau_syn, tau_mem=tau, r=gain * tau / dt, v_leak=rest, w_in=syn_gain * tau_syn / dt, **fires)
    if holds:
        return nir.I(r=gain / dt) if threshold is None else nir.IF(r=gain / dt, **fires)
    tau = _tau(beta, dt)
    kind = nir.LI if threshold is None else nir.LIF
    return kind(tau=tau, r=gain * tau / dt, v_leak=rest, **fires)


def _tau(beta: np.ndarray, dt: float) -> np.ndarray:
    return np.asarray(dt / np.maximum(1 - beta, 1e-18))


def plain(node: nir.NIRNode) -> NeuronNodes:
    """A neuron without anything around it."""
    return NeuronNodes(node)


def late_subtraction(
    nodes: NeuronNodes, beta: Any, threshold: Any, shape: Shape, alpha: Any, gain: Any = 1.0, dt: float = DT
) -> None:
    """The threshold is subtracted a step after the spike, when the membrane has decayed.

        U[t+1] = beta U[t] + I[t+1] - S[t] threshold

    A subtraction at once takes beta * threshold from U[t+1]; what is missing, (1 - beta) * threshold, comes by a
    synapse of each neuron onto itself (over `gain`, which all input is multiplied by).
    Behind a current filter a second synapse, a step later, takes back what the
    filter (alpha) keeps of the first.
    """
    missing = (1 - numbers(beta, shape)) * numbers(threshold, shape) / numbers(gain, shape)
    if not missing.any():
        return
    nodes.around["late_reset"] = nir.Scale(-missing)
    nodes.edges += [("", "late_reset"), ("late_reset", "")]
    if alpha is None:
        return
    nodes.around["late_reset_delay"] = nir.Delay(np.full(shape, dt))
    nodes.around["late_reset_undone"] = nir.Scale(numbers(alpha, shape) * missing)
    nodes.edges += [("", "late_reset_delay"), ("late_reset_delay", "late_reset_undone"), ("late_reset_undone", "")]
