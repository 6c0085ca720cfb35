"""Runs a module over an example for all its steps, whoever holds the loop over time."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.progress import is_reported, unreported

from .coded_input import CodedData
from .frameworks import table
from .layout import Tracked, listed, single
from .population import Population
from .recorder import Recorder, fail_if_untold
from .values import InputValue, Value
from .written_states import settle_states

REHEARSAL_SAMPLES = 2  # an axis of size 1 can't be told from others
DEFAULT_STEPS = 16  # of a module that leaves them to its caller, where nobody says how many


@dataclass
class Run:
    """What a module did.

    Attributes:
        results: its first result that depends on the data, once a call.
        outputs: the tensors of these.
        data: the samples as a step takes them: [N, *shape], or [N, T, *shape].
        moving: True if `data` has an axis of time.
        own_loop: True if the module runs all steps in one call.
        exact: True if it ran in float64.
        coded: how the module codes its data itself, which is `data` then; None where it takes them as they are.
    """

    populations: list[Population]
    results: list[Tracked]
    outputs: list[torch.Tensor]
    data: torch.Tensor
    moving: bool
    steps: int
    own_loop: bool
    exact: bool
    coded: CodedData | None = None


def run_module(
    model: nn.Module,
    example: torch.Tensor,
    *,
    steps: int | None = None,
    time_axis: int | None = None,
    rewrite: dict[str, str] | None = None,
) -> Run:
    """Runs `model` on `example`, trying the ways in which modules take time.

    Args:
        example: [N, *shape], shown at each step; with `time_axis` the axis of it that is time.

    Raises:
        UserError: none of the ways works; the error is that of the one that came furthest.
    """
    failed: list[tuple[int, Exception]] = []
    for exact in (True, False):
        for way in _ways(example, steps, time_axis, model):
            operations = _rehearsed(model, example, way, rewrite, steps, time_axis, exact) if is_reported() else None
            with _ready(model, exact) as ready:
                attempt = _Attempt(ready, rewrite, time_axis, operations)
                try:
                    return attempt.run(way, example, steps, exact)
                except UserError as error:
                    failed.append((attempt.reached, error))
                except Exception as error:  # the person's own code, in a type of its own
                    failed.append((attempt.reached - 1, error))
        if all(isinstance(error, UserError) for _, error in failed):
            break  # float32 would fail alike
    _, furthest = max(failed, key=lambda pair: pair[0])
    if isinstance(furthest, UserError):
        raise furthest
    text = (str(furthest).strip() or type(furthest).__name__).splitlines()[0]
    raise UserError(
        f"the module can't be run on the example {list(example.shape)}: {text}",
        where=type(model).__name__,
        remedy="check the example's shape, and say which of its axes is time (time_axis)",
    ) from furthest


def _rehearsed(
    model: nn.Module, example: torch.Tensor, way: _Way, rewrite: dict[str, str] | None, steps: int | None,
    time_axis: int | None, exact: bool,
) -> int | None:  # fmt: skip
    """Operations of a run over all of `example`, counted over two samples: how often it loops, a module alone knows."""
    batch_axis = 1 if time_axis == 0 else 0
    if example.shape[batch_axis] <= REHEARSAL_SAMPLES:
        return None
    few = example.narrow(batch_axis, 0, REHEARSAL_SAMPLES)
    with unreported(), torch.random.fork_rng(devices=[]), _ready(model, exact) as ready:
        attempt = _Attempt(ready, rewrite, time_axis)
        try:
            attempt.run(way, few, steps, exact)
        except Exception:  # the run itself will say it
            return None
        return attempt.operations


@contextmanager
def _ready(model: nn.Module, exact: bool) -> Iterator[nn.Module]:
    """A copy of the module at rest, in evaluation mode and float64; itself, put back afterwards, if it has no copy."""
    table.reset(model)
    kind = torch.get_default_dtype()
    try:
        ready = copy.deepcopy(model)
    except Exception:  # a module with something inside that can't be copied
        modes = {module: module.training for module in model.modules()}
        try:
            model.eval()
            yield model
        finally:
            for module, mode in modes.items():
                module.training = mode
            table.reset(model)
        return
    try:
        ready.eval()
        if not exact:
            yield ready
            return
        ready.double()
        torch.set_default_dtype(torch.float64)
        # frameworks write spikes as .float(), which a layer in float64 would refuse
        with mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
            yield ready
    finally:
        torch.set_default_dtype(kind)


@dataclass(frozen=True)
class _Way:
    """How the data goes in: "static", "steps" [.., T at `axis`, ..], "squeezed" or "calls" (one step a call)."""

    kind: str
    axis: int = 0


def _ways(example: torch.Tensor, steps: int | None, time_axis: int | None, model: nn.Module) -> list[_Way]:
    squeezed = any(type(m).__name__.endswith("Squeeze") for m in model.modules())
    if time_axis is not None:
        ways = [_Way("steps", axis) for axis in dict.fromkeys((time_axis, 0, 1))]
        return [*([_Way("squeezed")] if squeezed else []), *ways, _Way("calls")]
    if squeezed:
        return [_Way("squeezed"), _Way("static")]
    return [_Way("static"), _Way("steps", 0), _Way("steps", 1)]


class _Attempt:
    def __init__(
        self, model: nn.Module, rewrite: dict[str, str] | None, time_axis: int | None, expected: int | None = None
    ):
        self.model, self.rewrite, self.time_axis, self.expected = model, rewrite, time_axis, expected
        self.recorder: Recorder | None = None

    @property
    def operations(self) -> int:
        """How many there were, see `Recorder`."""
        return 0 if self.recorder is None else self.recorder.operations

    @property
    def reached(self) -> int:
        """How many calls of neurons were seen."""
        return 0 if self.recorder is None else sum(len(p.inputs) for p in self.recorder.populations)

    def run(self, way: _Way, example: torch.Tensor, steps: int | None, exact: bool) -> Run:
        """Runs the module in one way.

        Raises:
            UserError: it can't be followed.
        """
        x = example.to(torch.float64 if exact else torch.float32)
        moving = self.time_axis is not None
        if self.time_axis is not None:
            x = x.movedim(self.time_axis, 1)  # [N, T, ...]
        count = x.shape[1] if moving else steps or _own_steps(self.model) or DEFAULT_STEPS
        self.recorder = recorder = Recorder(table.neuron_of, names_of(self.model), len(x), self.rewrite, self.expected)
        table.prepare(self.model, count)
        with recorder.watching():
            if way.kind == "calls" or (way.kind == "static" and moving):
                outputs = self._by_calls(x, [InputValue(tuple(x.shape[2:]), t) for t in range(count)])
            elif way.kind == "static":
                data = InputValue(tuple(x.shape[1:]), None)
                outputs = [self._call(x.clone(), single(data, len(x)))]
                if _one_step_each(recorder.populations) and count > 1:
                    first = list(recorder.populations)
                    outputs += self._by_calls(x, [data] * (count - 1), outputs[-1])
                    if len(recorder.populations) == count * len(first) > len(first):
                        # nothing is handed from call to call: a network of one step
                        recorder.populations[:], outputs = first, outputs[:1]
            else:
                outputs = [self._whole(way, x, moving, count)]
        recorder.finished()
        if recorder.inline.found:
            given = [v for out in outputs if (seen := _first_of(recorder, out)) for v in seen[0].all()]
            recorder.inline.drop_unused(recorder.populations, given)
        if not recorder.populations:
            for known, _ in (_first(recorder, out) for out in outputs):
                fail_if_untold(known)
            raise UserError(
                "the module has no neurons of a known framework",
                where=type(self.model).__name__,
                remedy="build it with neurons of snnTorch, SpikingJelly, Norse, sinabs or dalif_deploy; a trained ReLU "
                "network is converted by dalif_deploy.convert",
            )
        taken = max(len(p.inputs) for p in recorder.populations)
        missing = x.shape[1] - taken if moving else 0
        if 0 < missing <= 2 * len(recorder.inline.found):  # neurons that the first steps' data had not reached
            taken = x.shape[1]
        found = [_first(recorder, out) for out in outputs]
        used = [value for p in recorder.populations for value in p.inputs]
        coded = recorder.codings.taken([*used, *(v for known, _ in found for v in known.all())], taken, x, moving)
        if coded is not None:
            x, moving = coded.data, coded.moving
        recorder.inline.resolve(taken)
        settle_states(recorder.populations, taken)
        return Run(
            recorder.populations,
            [known for known, _ in found],
            [tensor for _, tensor in found],
            x,
            moving,
            taken,
            len(outputs) == 1,
            exact,
            coded,
        )

    def _whole(self, way: _Way, x: torch.Tensor, moving: bool, count: int) -> Any:
        shape = tuple(x.shape[2:] if moving else x.shape[1:])
        if not moving:
            x = x.unsqueeze(1).expand(len(x), count, *shape)
        data: list[Value] = (
            [InputValue(shape, t) for t in range(count)] if moving else [InputValue(shape, None)] * count
        )
        known = listed(data, len(x), 1 if way.kind == "squeezed" else way.axis)
        if way.kind == "squeezed":
            known = Tracked((known.dims[0] + known.dims[1], *known.dims[2:]), known.values, known.lists)
            return self._call(x.flatten(0, 1), known)
        return self._call(x.movedim(1, way.axis).clone(), known)

    def _call(self, x: torch.Tensor, known: Tracked, *states: Any) -> Any:
        assert self.recorder is not None
        x = x.contiguous()
        self.recorder.track(x, known)
        return self.model(x, *states)

    def _by_calls(self, x: torch.Tensor, data: list[InputValue], before: Any = None) -> list[Any]:
        """One call a step; states that the module returned go in again."""
        outputs: list[Any] = []
        for value in data:
            step = x if value.step is None else x[:, value.step]
            states = () if before is None else self._states(before)
            before = self._call(step.clone(), single(value, len(x)), *states)
            outputs.append(before)
        return outputs

    def _states(self, before: Any) -> tuple[Any, ...]:
        assert self.recorder is not None
        if all(id(p.module) in self.recorder.neurons.of_module for p in self.recorder.populations):
            return ()  # the neurons keep their own
        if not isinstance(before, tuple) or len(before) < 2:
            return ()
        forward = inspect.signature(self.model.forward).parameters.values()
        takes = [p for p in forward if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        more = any(p.kind == p.VAR_POSITIONAL for p in forward)
        return tuple(before[1:]) if more or len(takes) >= len(before) else ()


def _own_steps(model: nn.Module) -> int | None:
    """Steps that squeezing layers were built for."""
    for module in model.modules():
        steps = getattr(module, "num_timesteps", None)
        if type(module).__name__.endswith("Squeeze") and isinstance(steps, int) and steps > 0:
            return steps
    return None


def _one_step_each(populations: list[Population]) -> bool:
    return bool(populations) and all(len(p.inputs) == 1 and p.neuron.time_axis is None for p in populations)


def _first(recorder: Recorder, out: Any) -> tuple[Tracked, torch.Tensor]:
    """The first tensor of a result that depends on the data; a list with an entry a step is one."""
    found = _first_of(recorder, out)
    if found is None:
        raise UserError("nothing that the module returns depends on its input", remedy="return tensors")
    return found


def _first_of(recorder: Recorder, out: Any) -> tuple[Tracked, torch.Tensor] | None:
    steps = isinstance(out, list) and len(out) > 1 and len({getattr(each, "shape", None) for each in out}) == 1
    if steps and all(recorder.of(each) is not None for each in out):
        with recorder:
            out = torch.stack(out)
    for tensor in tree_leaves(out):
        known = recorder.of(tensor)
        if known is not None:
            return known, tensor.detach()
    return None


def names_of(model: nn.Module) -> dict[int, str]:
    """Each module's name, without what wrappers add."""
    names: dict[int, str] = {}
    for name, module in model.named_modules():
        parts = [part for part in name.split(".") if part != "_orig_mod"]
        if isinstance(model, nn.DataParallel) and parts[0] == "module":
            parts = parts[1:]
        plain = ".".join(parts)
        names.setdefault(id(module), plain)
    return names
