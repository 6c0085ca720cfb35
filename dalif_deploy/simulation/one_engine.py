"""Samples through one engine, compared with another one if asked: accuracy, rates, mismatches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np

from dalif_deploy.data.nir_data import recorded_nir_data
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.notebook_table import notebook_table
from dalif_deploy.hw_models.samples.input_data import sample_count
from dalif_deploy.simulation.comparison import Comparison
from dalif_deploy.simulation.coverage import Coverage, CoverageRecord
from dalif_deploy.simulation.engines import Engine, EngineRun
from dalif_deploy.simulation.samples_run import joined, run_samples, scores


@dataclass(repr=False)
class SimulationResult:
    """What one engine made of the samples.

    Attributes:
        engine: its name.
        samples: how many.
        accuracy: share of right classes; None without labels, or with several outputs.
        predicted: class of each sample; None with several outputs.
        firing_rate: layer -> spikes a neuron and step.
        seconds: engine -> time that it took.
        check: against its counterpart; None if none was asked for.
        coverage: what the check exercised; None without one.
        stress_samples: samples of the check in addition, see `dalif_deploy.simulation.stress`.
        recorded: every layer's spikes and membranes; None if not asked for.
        dt: time step of the network in seconds; None where nothing was recorded.
    """

    engine: str
    samples: int
    accuracy: float | None
    predicted: list[int] | None
    firing_rate: dict[str, float]
    seconds: dict[str, float]
    check: Comparison | None = None
    coverage: Coverage | None = None
    stress_samples: int = 0
    recorded: EngineRun | None = field(default=None, repr=False)
    dt: float | None = None

    def to_nir_data(self) -> nir.NIRGraphData:
        """What was recorded in NIR's data form: a node a layer, observables "spikes" and "membrane" (after the reset).

        Neurons are flattened in row-major order. Membranes of an integer engine are the chip's integers.

        Raises:
            UserError: nothing was recorded.
        """
        if self.recorded is None or self.dt is None:
            raise UserError("nothing was recorded", remedy="simulate with record=True")
        return recorded_nir_data(self.recorded.spikes, self.recorded.membrane, self.dt)

    def headline(self) -> list[tuple[str, str]]:
        """(what, figure) of what a simulation is run for."""
        rows = [("samples", f"{self.samples:,}")]
        if self.accuracy is not None:
            rows.append(("accuracy", f"{100 * self.accuracy:.2f} %"))
        rates = [rate for rate in self.firing_rate.values() if rate]
        if rates:
            rows.append(("firing rates", f"{min(rates):.3g} to {max(rates):.3g} in {len(rates)} layers"))
        if self.check is not None:
            rows.append(("check", str(self.check)))
        return rows

    def __repr__(self) -> str:
        return f"<SimulationResult of engine {self.engine}: {', '.join(f'{w} {f}' for w, f in self.headline())}>"

    def _repr_html_(self) -> str:
        return notebook_table(f"engine {self.engine}", self.headline())

    def to_dict(self) -> dict[str, Any]:
        """All but what was recorded, in plain figures."""
        return {
            "engine": self.engine,
            "samples": self.samples,
            "accuracy": self.accuracy,
            "predicted": self.predicted,
            "firing_rate": self.firing_rate,
            "seconds": self.seconds,
            "check": None if self.check is None else check_figures(self.check, self.stress_samples),
            "coverage": None if self.coverage is None else self.coverage.to_dict(),
        }


def check_figures(check: Comparison, stress_samples: int) -> dict[str, Any]:
    """A comparison in plain figures: values compared and mismatches, in all and a layer and kind."""
    by_name = sorted(check.compared, key=lambda key: (check.kinds.index(key.rpartition(".")[2]), key))
    return {
        "against": check.engines[1],
        "compared": {key: check.compared[key] for key in by_name},
        "mismatches": check.total_mismatches,
        "mismatches_by_layer": {key: check.mismatches[key] for key in by_name},
        "first": None if check.first is None else str(check.first),
        "stress_samples": stress_samples,
    }


def run_engine(
    engine: Engine,
    other: Engine | None,
    labels: np.ndarray | None,
    *,
    stress: tuple[Engine, Engine] | None = None,
    keep: bool = False,
    dt: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> SimulationResult:
    """Runs all samples of the engine, chunk by chunk.

    Args:
        other: what it is compared with; None compares with nothing.
        labels: [N] classes, or None.
        stress: the two engines once more, over samples that only the comparison is about.
        keep: keeps spikes and membranes of every layer.
        dt: time step of the network in seconds, for what is kept.
        progress: called with the samples done.
    """
    samples = sample_count(engine.data)
    record = ("spikes", "membrane") if other is not None or keep else ("spikes",)
    comparison = None if other is None else Comparison((engine.name, other.name), engine.compares)
    coverage = CoverageRecord()
    if other is not None:
        coverage.watch([engine, other])
    found: list[np.ndarray | None] = []
    rates, kept = _Rates(), []
    seconds: dict[str, float] = {engine.name: 0.0}
    size = _chunk(engine, other, samples)
    for start in range(0, samples, size):
        part = slice(start, min(start + size, samples))
        run = _timed(engine, part, record, seconds)
        found.append(scores(run))
        rates.add(run)
        if keep:
            kept.append(run)
        if other is not None and comparison is not None:
            comparison.add(start, run, _timed(other, part, record, seconds))
            coverage.add(run, engine.compares)
        if progress:
            progress(part.stop)
    if stress is not None and comparison is not None:
        coverage.watch(stress)
        every = slice(0, sample_count(stress[0].data))
        run, against = (run_samples(each, every, ("spikes", "membrane")) for each in stress)
        comparison.add(samples, run, against)
        coverage.add(run, engine.compares)
    scored = [each for each in found if each is not None]
    predicted = np.concatenate(scored).argmax(axis=1) if scored else None
    return SimulationResult(
        engine.name,
        samples,
        None if labels is None or predicted is None else float((predicted == labels).mean()),
        None if predicted is None else predicted.tolist(),
        rates.mean(),
        seconds,
        comparison,
        None if comparison is None else coverage.coverage(),
        0 if stress is None else sample_count(stress[0].data),
        joined(kept) if keep else None,
        dt if keep else None,
    )


def _chunk(engine: Engine, other: Engine | None, samples: int) -> int:
    """Samples whose records are in memory at a time."""
    both = [engine] if other is None else [engine, other]
    if other is not None and any(each.starts_slowly for each in both):
        return max(1, samples)
    return min(max(1, each.chunk_size(samples)) for each in both)


def _timed(engine: Engine, samples: slice, record: tuple[str, ...], seconds: dict[str, float]) -> EngineRun:
    began = time.perf_counter()
    run = run_samples(engine, samples, record)
    seconds[engine.name] = seconds.get(engine.name, 0.0) + time.perf_counter() - began
    return run


class _Rates:
    def __init__(self) -> None:
        self.spikes: dict[str, int] = {}
        self.chances: dict[str, int] = {}

    def add(self, run: EngineRun) -> None:
        for layer, spikes in run.spikes.items():
            self.spikes[layer] = self.spikes.get(layer, 0) + int(spikes.sum(dtype=np.int64))
            self.chances[layer] = self.chances.get(layer, 0) + spikes.size

    def mean(self) -> dict[str, float]:
        return {layer: self.spikes[layer] / max(1, self.chances[layer]) for layer in self.spikes}
