"""Calls of neuron modules during a run: which population each belongs to, and which time step it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

from .layout import Axis, LayoutError, Tracked, new_list_axis, with_features
from .population import Neuron, NeuronCall, Population
from .values import NeuronValue, Untold

if TYPE_CHECKING:
    from .recorder import Recorder


class NeuronCalls:
    """Keeps the populations of a run."""

    def __init__(self, recorder: Recorder):
        self._recorder = recorder
        self.populations: list[Population] = []
        self.of_module: dict[int, Population] = {}

    def call(self, name: str, module: nn.Module, neuron: Neuron, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs one call and records it; returns what the module returns."""
        postponed = self._recorder.postponed_pools.get(args[0]) if args else None
        if postponed is not None:
            args = (postponed.unpooled, *args[1:])
        done = neuron.call(args, kwargs)
        known = self._recorder.of(done.x)
        if known is None:
            raise UserError("its input does not depend on the data", where=name, remedy="check the network's forward")
        for value in known.all():
            if isinstance(value, Untold):
                raise UserError(value.what, where=value.name, remedy=value.remedy)
        steps, known = _steps(name, known, neuron)
        population = self._population(name, module, neuron, done)
        start = len(population.inputs)
        lead = 1 if steps is None or neuron.time_axis == "squeezed" else 2
        if tuple(done.spikes.shape[lead:]) != known.features:  # a cell with weights of its own
            axes = tuple((Axis("feature", n),) for n in done.spikes.shape[lead:])
            after = Tracked((*known.dims[:lead], *axes), known.values, known.lists)
        else:
            after = known
        shape = after.features
        if start == 0:
            population.shape = shape
        elif population.shape != shape:
            raise UserError(
                f"is called with inputs of several shapes, {list(population.shape)} and {list(shape)}",
                where=name,
                remedy="use a neuron module of its own for each layer",
            )
        values = known.values if steps is None else known.values.reshape(-1)
        each: list[Any] = [known.values[()]] if steps is None else list(values)
        spikes = _by_step(done.spikes, neuron, steps, done.x.shape)
        membranes = None if done.membranes is None else _by_step(done.membranes, neuron, steps, done.x.shape)
        population.inputs += each
        population.shows_before_reset, population.notes = done.shows_before_reset, done.notes
        population.spikes += spikes
        population.several |= neuron.fires and any(bool((each > 1).any()) for each in spikes)
        population.membranes += membranes if membranes is not None else [None] * len(each)
        self._track(population, start, after, done, steps)
        if postponed is not None:
            return postponed.pooled(self._recorder, done)
        return done.output

    def _population(self, name: str, module: nn.Module, neuron: Neuron, done: NeuronCall) -> Population:
        before: set[Population] = set()
        for state, tensor in done.states_in.items():
            known = self._recorder.of(tensor)
            if known is None:
                continue
            value = known.values[()] if known.values.shape == () else None
            if not isinstance(value, NeuronValue) or value.what != state:
                raise UserError(
                    f"the state {state!r} that is passed to this neuron is not what a neuron gave out",
                    where=name,
                    remedy="pass each neuron the state that it returned, unchanged",
                )
            if value.step != len(value.population.inputs) - 1:
                raise UserError(
                    f"gets a state of step {value.step} at step {len(value.population.inputs)}",
                    where=name,
                    remedy="pass each neuron the state that it returned last",
                )
            before.add(value.population)
        if len(before) > 1:
            raise UserError("gets states of several neurons", where=name, remedy="pass each neuron its own state")
        if before:
            return before.pop()
        known_one = self.of_module.get(id(module))
        if known_one is not None and done.hidden and not done.states_in:
            return known_one
        taken = {each.name for each in self.populations}
        label, number = name, 1
        while label in taken:
            number += 1
            label = f"{name}_{number}"
        population = Population(label, module, neuron)
        self.populations.append(population)
        if done.hidden:
            self.of_module[id(module)] = population
        return population

    def _track(self, population: Population, start: int, known: Tracked, done: NeuronCall, steps: int | None) -> None:
        what = "spikes" if population.fires else "membrane"

        def given(name: str) -> Tracked:
            values = known.values.copy()
            flat = [NeuronValue(population.shape, population, start + i, name) for i in range(steps or 1)]
            if steps is None:
                values[()] = flat[0]
            else:
                values[:] = flat
            return Tracked(known.dims, values, known.lists)

        for state, tensor in done.states_out.items():
            if tensor.shape == done.spikes.shape:
                self._recorder.track(tensor, given(state))
            elif steps is not None and tensor.shape == done.spikes.shape[1:]:  # the last of several steps
                last = given(state)
                plain = Tracked(known.dims[1:], last.values[-1:].reshape(()), ())
                self._recorder.track(tensor, plain)
        self._recorder.track(done.spikes, given(what))


def _steps(name: str, known: Tracked, neuron: Neuron) -> tuple[int | None, Tracked]:
    """(steps of this call, None for a single one; the input with each sample's axes its own)."""
    try:
        if isinstance(neuron.time_axis, str) and neuron.time_axis == "made":
            tidy = with_features(known, 1, name)
            if tidy.lists:
                raise LayoutError
            time = new_list_axis(neuron.steps[1] or 1)
            values = np.empty(time.size, dtype=object)
            values[:] = [tidy.values[()]] * time.size
            return time.size, Tracked(((time,), *tidy.dims), values, (time.key,))
        if neuron.time_axis is None:
            tidy = with_features(known, 1, name)
            (batch,) = [a for a in tidy.dims[0] if a.size > 1 or a.kind == "batch"]
            if batch.kind != "batch" or tidy.lists:
                raise LayoutError
            return None, tidy
        if neuron.time_axis == "squeezed":
            tidy = with_features(known, 1, name)
            batch, time = tidy.dims[0]
        else:
            tidy = with_features(known, 2, name)
            first, second = tidy.dims[:2]
            (time,), (batch,) = (first, second) if neuron.time_axis == 0 else (second, first)
        if (batch.kind, time.kind) != ("batch", "list"):
            raise LayoutError
        return time.size, tidy
    except (LayoutError, ValueError) as error:
        asked = {
            None: "[N, ...], one step",
            0: "[T, N, ...]",
            1: "[N, T, ...]",
            "squeezed": "[N * T, ...]",
            "made": "[N, ...]",
        }
        raise UserError(
            f"this neuron takes {asked.get(neuron.time_axis, '[N, ...]')}, and gets {_words(known)}",
            where=name,
            remedy="check the step mode, and say which axis of the example is time (time_axis)",
        ) from error


def _words(known: Tracked) -> str:
    letters = {"batch": "N", "list": "T"}
    dims = (" * ".join(letters.get(a.kind, str(a.size)) for a in dim) or "1" for dim in known.dims)
    return f"[{', '.join(dims)}]"


def _by_step(tensor: torch.Tensor, neuron: Neuron, steps: int | None, shape: torch.Size) -> list[torch.Tensor]:
    if steps is None:
        return [tensor.detach().clone()]
    if neuron.time_axis == "squeezed":
        tensor = tensor.reshape(-1, steps, *shape[1:]).transpose(0, 1)
    elif neuron.time_axis == 1:
        tensor = tensor.transpose(0, 1)
    return [each.clone() for each in tensor.detach()]


__all__ = ["Axis", "NeuronCalls"]
