"""What an export assumed for a graph that does not say it, what else would fit, and what looks wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dalif_deploy.hw_models.chips.description import load_chip
from dalif_deploy.hw_models.compiler import Compiled
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph import flatten_graph

from ..source import Source
from .export_warnings import export_warnings, least_sqnr, profile_warnings, silent_layers
from .more_steps import steps_in_words, steps_to_fire
from .time_steps import TimeStep, time_steps
from .writer import likely_writer

RESET_HABITS = "snnTorch's default and sinabs subtract; Norse, SpikingJelly and NIR's own equation reset to v_reset"


class Advice:
    """Looks at one export.

    Args:
        compile_at: dt -> compiled network.
        input_range: lowest and highest value of the data.
    """

    def __init__(self, source: Source, compile_at: Callable[[float], Compiled], input_range: tuple[float, float]):
        self._source, self._compile_at, self._input_range = source, compile_at, input_range

    def compiled(self) -> Compiled:
        """At the source's own step.

        Raises:
            UserError: the compiler's; where the step is at fault, with the steps that would fit.
        """
        try:
            return self._compile_at(self._source.dt)
        except UserError as error:
            if self._source.checkpoint or "dt" not in error.what:
                raise
            fitting = [step for step in self._time_steps() if step.fits]
            if not fitting:
                raise
            remedy = "give the step that it was trained with; every layer can fire with " + " or ".join(
                _option(step) for step in fitting
            )
            raise UserError(error.what, where=error.where, remedy=remedy) from error

    def figures(self, compiled: Compiled, chip: str) -> dict[str, Any]:
        """What export.json says of conventions.

        `reset`, `reset_from`, `writer` (the framework that seems to have written the graph), `time_steps` (what was
        tried; empty where the source states its step and nothing looks wrong), and `warnings`, a line each.
        """
        source = self._source
        lines = export_warnings(compiled.layers, compiled.network.steps)
        unsure = not source.checkpoint and (source.dt_from == "assumed" or bool(lines))
        tried = self._time_steps() if unsure else []
        warnings = [f"{line}{self._remedy(compiled, tried)}" for line in lines]
        better = [step for step in tried if step.states and step.fits and not _is(step, source.dt)]
        if not lines and better and source.dt_from == "assumed":
            warnings.append(f"the neurons' gains suggest another time step: {_option(better[0])}")
        resets = {population.reset for population in compiled.network.populations.values() if population.fires}
        if source.reset_from == "assumed" and "subtract" not in load_chip(chip).formats.resets:
            warnings.append(
                f"the graph states no reset, and {chip} can't subtract: {RESET_HABITS}; if it was trained to subtract, "
                "choose another chip with --reset subtract, else pass --reset zero"
            )
        warnings += profile_warnings(compiled.network, load_chip(chip))
        return {
            "reset": sorted(resets),
            "reset_from": source.reset_from,
            "writer": likely_writer(flatten_graph(source.graph)) if unsure else None,
            "time_steps": [asdict(step) | {"fits": step.fits} for step in tried],
            "warnings": warnings,
        }

    def _time_steps(self) -> list[TimeStep]:
        return time_steps(flatten_graph(self._source.graph), self._compile_at)

    def _remedy(self, compiled: Compiled, tried: list[TimeStep]) -> str:
        now = least_sqnr(compiled.layers)
        others = [step for step in tried if step.fits and not _is(step, self._source.dt)]
        others = [s for s in others if now is None or s.least_sqnr_db is None or s.least_sqnr_db > now]
        if others:
            best = max(others, key=lambda s: (s.states, float("inf") if s.least_sqnr_db is None else s.least_sqnr_db))
            return f"; with {_option(best)}"
        silent = silent_layers(compiled.layers)
        if silent:
            return f"; {steps_in_words(steps_to_fire(compiled.network, silent, self._input_range))}"
        return "; check thresholds, --steps and --weight-bits; dalif-train --quantize trains with few bits"


def _is(step: TimeStep, dt: float) -> bool:
    return abs(step.dt / dt - 1) < 1e-6


def _option(step: TimeStep) -> str:
    ratio = "weights are exact" if step.least_sqnr_db is None else f"weights keep {step.least_sqnr_db:.1f} dB or more"
    said = "; suggested by the neurons' gains" if step.states else ""
    return f"--dt {step.dt:g} ({step.writers}{said}) every layer can fire and {ratio}"
