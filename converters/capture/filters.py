"""Leaky sums that a forward writes out, as filters: the current of a synapse, a readout that integrates.

What a value at the last step takes of each step before it is an impulse response. One that shrinks by the same factor
from step to step is a leaky sum with that decay; one of two decays is a leaky sum of a leaky sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arithmetic import affine
from .expansion import Expansions, at_rest
from .fold import Signatures
from .values import Operation, Still, Value

CLOSE = 1e-9  # of the largest entry of a response
MOST_TAPS = 8  # of a response that ends: a synapse each


@dataclass
class Source:
    """One thing that a state is made of.

    Attributes:
        at: step -> the value of that step; of data shown at each step, the same everywhere.
        response: one entry a step back, [steps back to its first, ...].
        moves: False where it is the same at each step.
    """

    at: dict[int, Value]
    response: np.ndarray
    moves: bool


@dataclass
class Filter:
    """A state as decays and what they sum.

    Attributes:
        decays: none (a plain sum), one, or two.
        inputs: what is summed at each step.
        offset: a constant beside the sum.
        at_rest: what is summed and the offset at each step while nothing fires and the data are zeros, [steps, ...].
    """

    decays: tuple[np.ndarray, ...]
    inputs: list[Value]
    offset: np.ndarray
    at_rest: np.ndarray


def written_filter(
    values: list[Value], shape: tuple[int, ...], name: str, expansions: Expansions, unsure: int | None = None
) -> Filter | None:
    """The filter that `values`, one a step, are the states of; None if they are none of at most two decays.

    Args:
        unsure: the step whose constant holds something else, too: what a membrane was before.
    """
    found = _filter(values, shape, name, expansions, unsure)
    return found if found is not None else _filter(values, shape, name, Expansions(apart=True), unsure)


def _filter(
    values: list[Value], shape: tuple[int, ...], name: str, expansions: Expansions, unsure: int | None
) -> Filter | None:
    sources, constants = _sources(values, expansions)
    found = [_decays(source.response) for source in sources]
    if not sources or any(d is None for d in found):
        return None
    shapes = [each for each in found if each is not None]
    decays = shapes[0][0]
    if not all(_same_decays(decays, each[0]) for each in shapes):
        return None
    full = (len(values), *shape)
    constants = np.broadcast_to(constants.reshape(len(values), *[1] * (len(shape) - constants.ndim + 1),
                                                  *constants.shape[1:]), full)  # fmt: skip
    biases = _of_biases(sources, shapes, full)
    first = 0 if unsure is None else unsure
    candidates = [constants[first]] if unsure is None else [constants[first], biases[first], constants[-1]]
    for candidate in candidates:
        left = constants - biases
        left[:first] = 0.0
        left[first] = candidate - biases[first]
        rest = _constant_source(left, decays)
        if rest is not None:
            break
    else:
        return None
    offset, response = rest
    resting = _of_biases(sources, shapes, full, missing=False) + (offset if response is None else left)
    if response is not None:
        sources, shapes = [*sources, _ones(sources[0], len(values))], [*shapes, response]
    inputs: list[Value] = []
    for step in range(len(values)):
        parts = []
        for source, each in zip(sources, shapes, strict=True):
            for wait, factor in each[1]:
                part = _delayed(source, step, wait, factor, name, shape)
                if part is not None:
                    parts.append(part)
        whole = parts[0] if len(parts) == 1 else Operation(shape, "add", name, tuple(parts))
        inputs.append(whole if parts else Still(shape))
    return Filter(decays, inputs, offset, resting)


def _same_decays(ours: tuple[np.ndarray, ...], theirs: tuple[np.ndarray, ...]) -> bool:
    return len(ours) == len(theirs) and all(
        np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(ours, theirs, strict=True)
    )


def _constant_source(left: np.ndarray, decays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, Any] | None:
    """(an offset beside the filter, the response of a constant that goes through it) of what biases leave, or None."""
    if (np.abs(left) <= 1e-9).all():
        return np.zeros(()), None
    if decays and len(left) > 2 and np.allclose(left, left[-1], rtol=1e-9, atol=1e-12):
        return left[-1], None
    response = _decays(np.diff(left, axis=0, prepend=0.0))
    if response is None or not _same_decays(decays, response[0]):
        return None
    return np.zeros(()), response


def _of_biases(sources: list[Source], shapes: list[Any], shape: tuple[int, ...], *, missing: bool = True) -> np.ndarray:
    """What the biases of layers add up to, [steps, ...]; with `missing`, those alone that no spike came with yet."""
    total = np.zeros(shape)
    for source, (decays, taps) in zip(sources, shapes, strict=True):
        begins = min(source.at) if source.moves else 0
        bias = at_rest(source.at[begins])
        if not bias.any():
            continue
        for start, gain in taps:
            response = _response(decays, len(total))
            for step in range(len(total)):
                seen = step - begins if missing else -1  # lags up to it came with what the source gave
                for lag in range(max(seen + 1, start), step + 1):
                    total[step] = total[step] + gain * response[lag - start] * bias
    return total


def _ones(like: Source, steps: int) -> Source:
    """A source that is 1 from the first step on."""
    some = next(iter(like.at.values()))
    one = affine(some.name if isinstance(some, Operation) else "", some, np.asarray(0.0), np.asarray(1.0))
    return Source(dict.fromkeys(range(steps), one), np.zeros(()), False)


def _sources(values: list[Value], expansions: Expansions) -> tuple[list[Source], np.ndarray]:
    """What the states are made of with the response to each, and their constants, [steps, ...]."""
    steps = len(values)
    signatures = Signatures()
    seen = [expansions(value) for value in values]
    moving: dict[int, dict[int, Value]] = {}
    totals: dict[int, tuple[Value, list[Any]]] = {}
    constants = []
    for step, each in enumerate(seen):
        constants.append(np.asarray(each.constant, dtype=np.float64))
        for value, factor in each.terms.values():
            when = expansions.steps(value)
            if len(when) > 1:
                return [], np.zeros(())
            if when:
                (own,) = when
                moving.setdefault(signatures(value, own), {})[own] = value
            else:
                _, series = totals.setdefault(signatures(value, step), (value, [0.0] * steps))
                series[step] = series[step] + np.asarray(factor)
    found = []
    last = seen[-1]
    for key, at in moving.items():
        taps: list[Any] = [0.0] * steps
        for value, factor in last.terms.values():
            when = expansions.steps(value)
            if when:
                (own,) = when
                if signatures(value, own) == key and 0 <= steps - 1 - own < steps:
                    taps[steps - 1 - own] = taps[steps - 1 - own] + np.asarray(factor)
        found.append(Source(at, _stacked(taps)[: steps - min(at)], True))  # what came earlier is not known
    for value, series in totals.values():
        found.append(Source(dict.fromkeys(range(steps), value), np.diff(_stacked(series), axis=0, prepend=0.0), False))
    return [source for source in found if source.response.any()], _stacked(constants)


def _stacked(entries: list[Any]) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*(np.asarray(e, dtype=np.float64) for e in entries)))


def _decays(response: np.ndarray) -> tuple[tuple[np.ndarray, ...], list[tuple[int, np.ndarray]]] | None:
    """(decays, [(steps of delay, factor)]) of a response; None if it is no filter of at most two decays."""
    scale = float(np.abs(response).max())
    there = np.abs(response).reshape(len(response), -1).max(1) > CLOSE * scale
    start = int(np.argmax(there))
    taps = response[start:]
    taken = int(there.sum())
    if taken == 1:
        return (), [(start, response[start])]
    gain = taps[0]
    if (np.abs(gain) <= CLOSE * scale).any():
        gain = None
    if gain is not None:
        one = taps[1] / gain
        if np.abs(taps - gain * _powers(one, len(taps))).max() <= CLOSE * scale and _is_decay(one):
            return (np.minimum(one, 1.0),), [(start, gain)]
        if len(taps) > 3:
            p, q = taps[1] / gain, (taps[1] / gain) ** 2 - taps[2] / gain
            root = p * p / 4 - q
            root = np.where(np.abs(root) < 1e-10, 0.0, root)
            if (root >= 0).all():
                high, low = p / 2 + np.sqrt(root), p / 2 - np.sqrt(root)
                whole = _response((low, high), len(taps))
                if np.abs(taps - gain * whole).max() <= 1e-7 * scale and _is_decay(high) and _is_decay(low):
                    return (low, np.minimum(high, 1.0)), [(start, gain)]
    places = np.nonzero(there)[0]
    if taken <= MOST_TAPS and places[-1] < len(response) - 1:  # it ends before the steps do
        return (), [(int(k), response[k]) for k in places]
    return None


def _response(decays: tuple[np.ndarray, ...], count: int) -> np.ndarray:
    """What a filter of one or two decays keeps of a 1, step by step."""
    if not decays:
        return np.asarray([1.0] + [0.0] * (count - 1))
    kept = [_powers(decay, count) for decay in decays]
    if len(kept) == 1:
        return kept[0]
    return np.stack([np.asarray(sum(kept[0][j] * kept[1][k - j] for j in range(k + 1))) for k in range(count)])


def _is_decay(factor: np.ndarray) -> bool:
    return bool((factor >= 0).all() and (factor <= 1 + 1e-9).all())


def _powers(base: np.ndarray, count: int) -> np.ndarray:
    return np.stack([base**k for k in range(count)])


def _delayed(
    source: Source, step: int, wait: int, factor: np.ndarray, name: str, shape: tuple[int, ...]
) -> Value | None:
    """factor * the source `wait` steps before `step`; None before it is there."""
    value = source.at.get(step - wait)
    if value is None or step < wait:
        return None
    scaled = affine(name, value, np.asarray(factor), np.asarray(0.0))
    if wait == 0:
        return scaled
    if source.moves and not has_constants(value):
        return scaled  # whose spikes or data say how late it is
    return Operation(shape, "delay", name, (scaled,), {"steps": wait})


def has_constants(value: Value) -> bool:
    """True if a bias or a shift is part of the value."""
    if not isinstance(value, Operation):
        return False
    own = any(value.parameters.get(key) is not None and np.any(value.parameters[key]) for key in ("bias", "shift"))
    return own or any(map(has_constants, value.inputs))
