"""Which time steps fit a graph that states none: what each writer means, tried on the compiler.

NIR gives time constants in seconds and no step. Writers have habits (docs/nir-dialects.md); under the wrong one a
network compiles all the same, and is silent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import nir
import numpy as np

from dalif_deploy.hw_models.compiler import Compiled
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.flat_graph import FlatGraph
from dalif_deploy.hw_models.progress import tracked

from .export_warnings import least_sqnr, silent_layers

HABITS = {1e-4: "snnTorch, SpikingJelly, Rockpool", 1e-3: "Norse", 1.0: "sinabs: time constants in steps"}
SAME = 0.01  # two steps nearer than this are one


@dataclass(frozen=True)
class TimeStep:
    """A step and what the network would be with it.

    Attributes:
        dt: seconds.
        writers: who means it.
        states: True if every neuron's own gain says it: its input counts once a step.
        refused: why the compiler says no; None where it doesn't.
        silent: layers that no input could make fire.
        least_sqnr_db: of all layers' weights; None where nothing is rounded.
    """

    dt: float
    writers: str
    states: bool
    refused: str | None = None
    silent: tuple[str, ...] = ()
    least_sqnr_db: float | None = None

    @property
    def fits(self) -> bool:
        """True if every layer could fire."""
        return self.refused is None and not self.silent


def time_steps(flat: FlatGraph, compile_at: Callable[[float], Compiled]) -> list[TimeStep]:
    """Each habit, and the step that the neurons' gains speak for, tried.

    Args:
        compile_at: dt -> compiled network.
    """
    own = step_of_gains(flat)
    found = {dt: writers for dt, writers in HABITS.items()}
    if own is not None and not any(_same(own, dt) for dt in HABITS):
        found[own] = "by the gains of its neurons"
    return [
        _tried(dt, writers, own is not None and _same(own, dt), compile_at)
        for dt, writers in tracked(list(found.items()), "trying time steps")
    ]


def step_of_gains(flat: FlatGraph) -> float | None:
    """The dt at which every spiking neuron's input counts once a step; None where they don't agree on one.

    That is r dt/tau = 1 and w_in dt/tau_syn = 1, or r dt = 1 of an IF, as snnTorch, SpikingJelly and sinabs write their
    neurons. Rockpool's have r = tau/dt - 1. An r of 1 of a leaky neuron is what NIR takes by default and says nothing.
    """
    nodes = [flat.nodes[name] for name in flat.spiking]
    own = _agreed([gain for node in nodes for gain in _gains(node, 0)])
    if own is None or any(_same(own, dt) for dt in HABITS):
        return own
    rockpool = _agreed([gain for node in nodes for gain in _gains(node, 1)])
    return rockpool if rockpool is not None and any(_same(rockpool, dt) for dt in HABITS) else own


def _gains(node: nir.NIRNode, less: int) -> list[np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        if isinstance(node, nir.IF):
            return [1 / np.ravel(node.r)]
        if isinstance(node, nir.LIF) and not np.all(node.r == 1):
            return [np.ravel(node.tau) / (np.ravel(node.r) + less)]
        if isinstance(node, nir.CubaLIF) and not np.all(node.r == 1):
            return [np.ravel(node.tau_mem) / (np.ravel(node.r) + less), np.ravel(node.tau_syn) / np.ravel(node.w_in)]
    return []


def _agreed(steps: list[np.ndarray]) -> float | None:
    if not steps:
        return None
    every = np.concatenate(steps)
    middle = float(np.median(every))
    agree = np.isfinite(every).all() and middle > 0 and (np.abs(every / middle - 1) < SAME).all()
    return float(f"{middle:.4g}") if agree else None


def _same(one: float, other: float) -> bool:
    return abs(one / other - 1) < SAME


def _tried(dt: float, writers: str, states: bool, compile_at: Callable[[float], Compiled]) -> TimeStep:
    try:
        compiled = compile_at(dt)
    except UserError as error:
        return TimeStep(dt, writers, states, refused=f"{error.where}: {error.what}" if error.where else error.what)
    return TimeStep(dt, writers, states, None, tuple(silent_layers(compiled.layers)), least_sqnr(compiled.layers))
