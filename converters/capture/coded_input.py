"""What a forward does to its data before the first layer, where the graph has no word for it: rate coding, clipping.

`x > torch.rand_like(x)`, a Bernoulli or Poisson encoder, a latency code, a ReLU of the data: nothing that fires comes
before it, so it need not be on the chip. Its result, seen once a step, becomes the network's input, and the numbers
that came out are what the graph is held against.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from dalif_deploy.hw_models.errors import UserError

from .layout import Tracked, new_list_axis, tensors_of
from .values import InputValue, NeuronValue, Operation, OverTime, Ranked, Untold, Value

HERE = str(Path(__file__).parent)
TORCH = str(Path(torch.__file__).parent)


@dataclass
class Coding:
    """One place in the person's code whose results are inputs, in the order in which they came.

    Attributes:
        what: the operation, for notes.
        numbers: [N, *shape] of each.
    """

    what: str
    values: list[InputValue] = field(default_factory=list)
    numbers: list[torch.Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """A piece of an input that several codings share: entries `start` to `start + size` of it, of `shape`."""

    start: int
    shape: tuple[int, ...]


@dataclass
class CodedData:
    """The input of a network that codes its data itself.

    Attributes:
        data: [N, T, *shape] if `moving`, else [N, *shape].
        parts: where it was put together of several; empty for one.
        what: the operations.
    """

    data: torch.Tensor
    moving: bool
    parts: list[Part]
    what: list[str]


class Codings:
    """The codings of a run."""

    def __init__(self) -> None:
        self._found: dict[Any, Coding] = {}

    def of(self, name: str, operands: list[tuple[torch.Tensor, Tracked]], out: Any) -> Tracked | None:
        """`out` as inputs, if it is of data alone and has the axes of one of them, or time before these; else None.

        Args:
            operands: the tensors that depend on the data.
        """
        if not isinstance(out, torch.Tensor) or not all(is_of_data(v) for _, t in operands for v in t.all()):
            return None
        for _, like in operands:
            if any(isinstance(v, Untold) for v in like.all()):
                continue
            if like.shape == tuple(out.shape):
                return self._inputs(name, like, out)
            if not like.dims[0] and len(like.dims) == out.dim():
                like = Tracked(like.dims[1:], like.values, like.lists)
            if like.shape == tuple(out.shape[1:]):
                time = new_list_axis(out.shape[0])
                values = like.values[None].repeat(out.shape[0], axis=0)
                return self._inputs(name, Tracked(((time,), *like.dims), values, (time.key, *like.lists)), out)
        return None

    def _inputs(self, name: str, like: Tracked, out: torch.Tensor) -> Tracked:
        number, coding = self._here(name)
        numbers = tensors_of(like, out.to(torch.get_default_dtype()))
        values = like.values.copy()
        for place in np.ndindex(values.shape):
            each = numbers[place]
            value = InputValue(tuple(each.shape[1:]), len(coding.values), number)
            coding.values.append(value)
            coding.numbers.append(each.clone())
            values[place] = value
        return Tracked(like.dims, values, like.lists)

    def _here(self, name: str) -> tuple[int, Coding]:
        """The coding of the line of the person's code that runs."""
        frame: FrameType | None = sys._getframe()
        lines: list[tuple[str, int]] = []
        line = 0
        while frame is not None:
            if not frame.f_code.co_filename.startswith((HERE, TORCH)):
                line = line or frame.f_lineno
                lines.append((frame.f_code.co_filename, frame.f_lasti))
            frame = frame.f_back
        key = (name, *lines)
        if key not in self._found:
            place = f", {Path(lines[0][0]).name}:{line}" if lines else ""
            self._found[key] = Coding(f"{name}{place}")
        return list(self._found).index(key), self._found[key]

    def taken(self, values: Iterable[Value], steps: int, raw: torch.Tensor, moving: bool) -> CodedData | None:
        """The data that `values` are made of, None if they are of the data themselves.

        Raises:
            UserError: a coding that ran neither once nor once a step.
        """
        used = {value.coded: value for value in _inputs_in(values)}
        if set(used) <= {None}:
            return None
        codings = list(self._found.values())
        pieces: list[tuple[list[InputValue], torch.Tensor, bool]] = []
        if None in used:
            pieces.append(([v for v in _inputs_in(values) if v.coded is None], raw, moving))
        for number in sorted(n for n in used if n is not None):
            coding = codings[number]
            if len(coding.values) == 1:
                coding.values[0].step = None
                pieces.append((coding.values, coding.numbers[0], False))
            elif len(coding.values) == steps:
                pieces.append((coding.values, torch.stack(coding.numbers, 1), True))
            else:
                raise UserError(
                    f"the forward codes its data {len(coding.values)} times ({coding.what}) in {steps} steps",
                    remedy="code them once, or once a step",
                )
        what = [codings[n].what for n in sorted(n for n in used if n is not None)]
        if len(pieces) == 1:
            of, data, moves = pieces[0]
            for value in of:
                value.coded = None
            return CodedData(data, moves, [], what)
        any_moves = any(moves for _, _, moves in pieces)
        flat, parts, start = [], [], 0
        for index, (of, data, moves) in enumerate(pieces):
            shape = tuple(data.shape[2:] if moves else data.shape[1:])
            for value in of:
                value.coded = index
            parts.append(Part(start, shape))
            start += math.prod(shape)
            data = data.to(torch.get_default_dtype())
            if any_moves and not moves:
                data = data[:, None].expand(-1, steps, *shape)
            flat.append(data.flatten(2 if any_moves else 1))
        return CodedData(torch.cat(flat, -1), any_moves, parts, what)


def is_of_data(value: Value) -> bool:
    """True if the value is made of the data alone, before any layer with weights."""
    if isinstance(value, InputValue):
        return True
    if isinstance(value, Untold):
        return value.of_data
    if isinstance(value, NeuronValue):  # a comparison of the data
        return value.population.written and all(map(is_of_data, value.population.inputs))
    return isinstance(value, Operation) and value.kind not in ("conv", "linear") and all(map(is_of_data, value.inputs))


def _inputs_in(values: Iterable[Value]) -> list[InputValue]:
    return [value for value in leaves(values) if isinstance(value, InputValue)]


def leaves(values: Iterable[Value]) -> list[Value]:
    """What values are made of in the end: data, neurons' outputs, and what can't be said."""
    found: list[Value] = []
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Operation):
            waiting += value.inputs
        elif isinstance(value, OverTime):
            waiting += value.values
        elif isinstance(value, Ranked):
            waiting.append(value.of)
        else:
            found.append(value)
    return found
