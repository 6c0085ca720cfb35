"""Candidate update rules of NIR's spiking neurons, to be compared with what a reader's spikes show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import nir
import numpy as np

DTS = (1e-4, 1e-3, 1.0)


@dataclass(frozen=True)
class Rule:
    """One way to step a neuron. The words are the ones of the table.

    Attributes:
        synapse, synapse_gain, order: CubaLIF only.
        gain: factor of the input on its way to the membrane.
    """

    decay: str = "Euler"
    dt: float = 1e-4
    gain: str = "r dt/tau"
    reset: str = "to v_reset"
    reset_when: str = "same step"
    decided: str = "after decay and input"
    v_leak: str = "honoured"
    start: str = "0"
    lowest: str = "none"
    synapse_gain: str = "w_in dt/tau_syn"
    order: str = "synapse, then membrane"


def candidates(node: nir.NIRNode) -> Iterator[Rule]:
    """All rules for a node with v_leak = v_reset = 0."""
    rules: dict[str, tuple] = {
        "decay": ("Euler", "exponential"),
        "dt": DTS,
        "gain": ("r dt/tau", "dt/tau", "1 - decay", "r", "1"),
        "reset": ("to v_reset", "subtract", "subtract, several spikes per step"),
        "reset_when": ("same step", "next step"),
        "decided": ("after decay and input", "before"),
    }
    if isinstance(node, nir.IF):
        rules |= {"decay": ("none", "0.9 per step"), "gain": ("r dt", "r", "1"), "lowest": ("none", "-v_threshold")}
    if isinstance(node, nir.CubaLIF):
        # the neuron's own rule is probed on LIF; here what the synapse adds to it
        rules |= {
            "gain": ("r dt/tau", "r", "1"),
            "reset": ("to v_reset", "subtract"),
            "decided": ("after decay and input",),
            "synapse_gain": ("w_in dt/tau_syn", "w_in", "1"),
            "order": ("synapse, then membrane", "membrane, then synapse"),
        }
    for values in product(*rules.values()):
        yield Rule(**dict(zip(rules, values, strict=True)))


def at_rest(rule: Rule) -> Iterator[Rule]:
    """The same rule with every way to treat v_leak, v_reset and the first membrane."""
    resets = ("to v_reset", "to 0") if rule.reset == "to v_reset" else (rule.reset,)
    for v_leak, reset, start in product(("honoured", "ignored"), resets, ("0", "v_reset", "v_leak")):
        yield replace(rule, v_leak=v_leak, reset=reset, start=start)


def run(rule: Rule, node: nir.NIRNode, x: np.ndarray) -> np.ndarray:
    """Spikes [N, T] of one neuron under `rule`, for inputs x [N, T]."""
    number = {key: float(np.ravel(value)[0]) for key, value in vars(node).items() if hasattr(value, "shape")}
    tau, v_leak = number.get("tau", number.get("tau_mem")), number.get("v_leak", 0.0)
    beta = _decay(rule, tau)
    share = rule.dt / tau if tau else rule.dt
    r = number["r"]
    gain = {"r dt/tau": r * share, "r dt": r * share, "dt/tau": share, "1 - decay": 1 - beta, "r": r, "1": 1.0}[
        rule.gain
    ]
    offset = (1 - beta) * v_leak if rule.v_leak == "honoured" else 0.0
    threshold = number["v_threshold"]
    low = number["v_reset"] if rule.reset == "to v_reset" else 0.0
    v = np.full(len(x), {"0": 0.0, "v_reset": number["v_reset"], "v_leak": v_leak}[rule.start])
    i, before = np.zeros(len(x)), np.zeros(len(x))
    spikes = np.zeros(x.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(x.shape[1]):
            current = x[:, t]
            if isinstance(node, nir.CubaLIF):
                old, i = i, _synapse(rule, number, i, x[:, t])
                current = i if rule.order == "synapse, then membrane" else old
            if rule.decided == "before":
                fired = _fires(rule, v, threshold)
                v = beta * _reset(rule, v, fired, threshold, low) + gain * current + offset
            else:
                v = beta * v + gain * current + offset
                if rule.reset_when == "next step":
                    v = _reset(rule, v, before, threshold, low)
                fired = _fires(rule, v, threshold)
                if rule.reset_when == "same step":
                    v = _reset(rule, v, fired, threshold, low)
            if rule.lowest == "-v_threshold":
                v = np.maximum(v, -threshold)
            spikes[:, t] = before = fired
    return spikes


def _decay(rule: Rule, tau: float | None) -> float:
    if tau is None:
        return 0.9 if rule.decay == "0.9 per step" else 1.0
    return 1 - rule.dt / tau if rule.decay == "Euler" else float(np.exp(-rule.dt / tau))


def _synapse(rule: Rule, number: dict[str, float], i: np.ndarray, x: np.ndarray) -> np.ndarray:
    beta = _decay(rule, number["tau_syn"])
    w_in = number["w_in"]
    gain = {"w_in dt/tau_syn": w_in * rule.dt / number["tau_syn"], "w_in": w_in, "1": 1.0}[rule.synapse_gain]
    return beta * i + gain * x


def _fires(rule: Rule, v: np.ndarray, threshold: float) -> np.ndarray:
    if rule.reset == "subtract, several spikes per step":
        return np.maximum(np.trunc(v / threshold), 0.0)
    return (v > threshold).astype(float)


def _reset(rule: Rule, v: np.ndarray, fired: np.ndarray, threshold: float, low: float) -> np.ndarray:
    return v - fired * threshold if rule.reset.startswith("subtract") else np.where(fired > 0, low, v)
