"""The captured graph held against the module that it was captured from: every spike of every layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.neurons import neuron_dynamics
from dalif_deploy.hw_models.progress import tracked
from dalif_deploy.hw_models.reference import FloatRecording

from .population import Population

# how near to its threshold a membrane is a tie, in parts of the threshold: rounding of float32 and of float64
TIE = {True: 1e-9, False: 2e-5}


@dataclass(frozen=True)
class Tie:
    """A membrane so near its threshold that rounding decides; what follows in that sample is not compared."""

    layer: str
    sample: int
    step: int
    neuron: tuple[int, ...]
    membrane: float
    threshold: float


@dataclass(frozen=True)
class LayerCheck:
    """One layer.

    Attributes:
        spikes: how many the module fired in all.
        fired: share of neurons that fired at least once in any sample.
        nearest: largest membrane before a reset in parts of the threshold, of a layer that stayed silent; else None.
        membrane_error: largest difference of two membranes, None where the module hides them.
    """

    layer: str
    compared: int
    spikes: int
    fired: float
    nearest: float | None
    membrane_error: float | None


@dataclass(frozen=True)
class Verification:
    """What was compared.

    Attributes:
        arithmetic: "float64" or "float32": what the module ran in.
        after_ties: differing spikes that follow from ties.
        notes: "layer: what": what the layer could do and the chip could not, which the samples never showed.
    """

    samples: int
    steps: int
    arithmetic: str
    layers: list[LayerCheck]
    ties: list[Tie] = field(default_factory=list)
    after_ties: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def silent(self) -> list[LayerCheck]:
        """Layers in which nothing fired."""
        return [layer for layer in self.layers if layer.spikes == 0]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Difference:
    population: Population
    step: int
    neuron: tuple[int, ...]
    membrane: float | None
    threshold: float
    own: float
    graph: float


def verify(
    populations: list[Population], node_of: dict[int, str], nodes: dict[str, Any], run: FloatRecording, *, dt: float,
    exact: bool,
) -> Verification:  # fmt: skip
    """Compares every layer of a run of the module with the graph's.

    Raises:
        UserError: a spike that differs and is no tie, a membrane that differs.
    """
    samples, steps = len(populations[0].spikes[0]), len(populations[0].spikes)
    stacks = []
    for p in populations:
        seen = p.membranes if p.reads_membrane else p.spikes
        own = np.stack([s.double().numpy() for s in seen], 1)  # type: ignore[union-attr]
        name = node_of[id(p)]
        found = run.spikes[name] if p.fires else run.membrane[name]
        stacks.append((p, own.reshape(samples, steps, *p.shape), found.reshape(samples, steps, *p.shape), name))
    ties, after = [], 0
    valid = np.full(samples, steps)  # steps of each sample that are compared
    for sample in tracked(range(samples), "comparing module and graph, samples"):
        first = _first_difference(stacks, sample)
        if first is None:
            continue
        step, index = first
        p, own, found, name = stacks[index]
        for neuron in zip(*np.nonzero(own[sample, step] != found[sample, step]), strict=True):
            place = tuple(int(i) for i in neuron)
            difference = _described(p, name, nodes, run, sample, step, place, dt, own, found)
            if not _is_tie(difference, exact):
                raise _error(difference, sample)
            assert difference.membrane is not None
            ties.append(Tie(p.name, sample, step, place, difference.membrane, difference.threshold))
        valid[sample] = step
        after += sum(int((a[sample, step:] != b[sample, step:]).sum()) for q, a, b, _ in stacks if q.fires)
    layers = [_layer(p, own, found, name, nodes, run, valid, dt, exact) for p, own, found, name in stacks]
    notes = [f"{p.name}: {note}" for p in populations for note in p.notes]
    return Verification(samples, steps, "float64" if exact else "float32", layers, ties, after - len(ties), notes)


def _first_difference(stacks: list[Any], sample: int) -> tuple[int, int] | None:
    """(step, layer) of the first differing spike: the earliest step, and in it the layer that was called first."""
    found = [
        (int(np.nonzero((own[sample] != got[sample]).reshape(len(own[sample]), -1).any(1))[0][0]), i)
        for i, (p, own, got, _) in enumerate(stacks)
        if p.fires and (own[sample] != got[sample]).any()
    ]
    return min(found) if found else None


def _described(
    p: Population, name: str, nodes: Any, run: FloatRecording, sample: int, step: int, place: tuple[int, ...],
    dt: float, own: np.ndarray, found: np.ndarray,
) -> _Difference:  # fmt: skip
    dynamics = neuron_dynamics(name, nodes[name], dt)
    assert dynamics.threshold is not None
    threshold = np.broadcast_to(_like(dynamics.threshold, p.shape), p.shape)
    fired, got = own[sample, step][place], found[sample, step][place]
    membrane = None
    if dynamics.max_spikes > 1:
        graded = np.broadcast_to(_like(dynamics.reset_value, p.shape), p.shape)[place]
        membrane = float(run.membrane[name].reshape(*own.shape)[sample, step][place])
        membrane += float(got) * float(threshold[place])
        times = max(1.0, round((membrane - graded) / (threshold[place] - graded)))
        threshold = graded + (threshold - graded) * times  # the one that it is nearest to
    elif fired:  # the graph did not fire: its membrane was not reset
        membrane = float(run.membrane[name].reshape(*own.shape)[sample, step][place])
    elif p.membranes[step] is not None:
        membrane = float(p.membranes[step][sample].reshape(p.shape)[place])  # type: ignore[index]
    return _Difference(p, step, place, membrane, float(threshold[place]), float(fired), float(got))


def _like(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Per-neuron values of a node that is kept flat, in the layer's own shape."""
    return values.reshape(shape) if values.ndim == 1 and len(shape) > 1 and values.size == np.prod(shape) else values


def _is_tie(d: _Difference, exact: bool) -> bool:
    if d.membrane is None:
        return False
    return abs(d.membrane - d.threshold) <= TIE[exact] * max(abs(d.threshold), 1e-6)


def _error(d: _Difference, sample: int) -> UserError:
    verb = {0.0: "stays silent", 1.0: "fires"}
    own = verb.get(d.own, f"gives {d.own:g}")
    graph = verb.get(d.graph, f"gives {d.graph:g}")
    at = "" if d.membrane is None else f" (membrane {d.membrane:.9g}, threshold {d.threshold:.9g})"
    return UserError(
        f"at step {d.step} of sample {sample}, neuron {list(d.neuron)} {own} in the module and {graph} in the graph"
        + at,
        where=d.population.name,
        remedy="this neuron does something that its NIR node doesn't: report it with the network",
    )


def _layer(
    p: Population, own: np.ndarray, found: np.ndarray, name: str, nodes: Any, run: FloatRecording, valid: np.ndarray,
    dt: float, exact: bool,
) -> LayerCheck:  # fmt: skip
    steps = own.shape[1]
    compared = np.arange(steps)[None, :] < valid[:, None]
    error = None
    if all(m is not None for m in p.membranes):
        mine = np.stack([m.double().numpy() for m in p.membranes], 1).reshape(own.shape)  # type: ignore[union-attr]
        theirs = run.membrane[name].reshape(own.shape)
        gap = np.abs(mine - theirs)[compared]
        error = float(gap.max(initial=0.0))
        scale = max(float(np.abs(mine).max(initial=0.0)), 1e-6)
        allowed = (1e-7 if exact else 1e-4) * scale * steps
        if error > allowed:
            sample, step, *neuron = np.unravel_index(
                np.argmax(np.where(compared.reshape(*compared.shape, *[1] * len(p.shape)), np.abs(mine - theirs), 0)),
                own.shape,
            )
            place = (sample, step, *neuron)
            raise UserError(
                f"at step {step} of sample {sample}, neuron {[int(n) for n in neuron]} has the membrane "
                f"{mine[place]:.9g} in the module and {theirs[place]:.9g} in the graph",
                where=p.name,
                remedy="this neuron does something that its NIR node doesn't: report it with the network",
            )
    spikes = int(np.abs(own).sum()) if p.fires else int(np.count_nonzero(own))
    nearest = None
    if p.fires and not spikes:
        threshold = neuron_dynamics(name, nodes[name], dt).threshold
        assert threshold is not None
        membranes = run.membrane[name].reshape(own.shape)
        nearest = float((membranes / np.broadcast_to(_like(threshold, p.shape), p.shape)).max())
    fired = float((own != 0).any((0, 1)).mean())
    return LayerCheck(p.name, int(compared.sum()) * int(np.prod(p.shape)), spikes, fired, nearest, error)
