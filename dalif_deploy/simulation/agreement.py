"""Every engine at hand on the same samples, and how far their spikes agree, a layer.

Integer engines must agree with each other to the bit. Float engines are held against the NIR graph's float reference;
where they differ, the cause is known, see `CAUSES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.input_data import InputData, sample_count
from dalif_deploy.simulation.coverage import CoverageRecord
from dalif_deploy.simulation.engines import ENGINES, Engine, EngineRun, make_engine

# Samples that all engines run before their spikes are compared and dropped; starting Lava costs seconds a time
CHUNK = 100
# what engines of each kind of numbers are held against
REFERENCES = {"integer": "fast", "float64": "nir", "float32": "nir"}
CAUSES = {
    "float64": "order of float64 sums, for a membrane within rounding of its threshold; and, between torch (fires on "
    "the threshold itself) and NIR (above it), ties",
    "float32": "float32 rounding, for a membrane near its threshold",
    "integer": "weights, decays and thresholds of the chip's few bits: what quantisation does",
}


def run_agreement(
    artefact: Artefact,
    inputs: InputData,
    labels: np.ndarray | None,
    *,
    stress: InputData | None = None,
    options: Callable[[str], dict[str, Any]],
    progress: Callable[[str, int], None] | None = None,
) -> dict[str, Any]:
    """Runs all engines that the folder and the installed packages allow.

    Args:
        labels: [N] classes, or None.
        stress: samples that integer engines alone are compared on, too; accuracy and agreement are of `inputs`.
        options: engine name -> keyword arguments of the engine.
        progress: called with an engine and the number of samples that it has just done.

    Returns:
        `engines`: a row each with arithmetic, accuracy (None without labels), `float_agreement` (layer -> share of
        spikes equal to engine nir's) and `against`, `compared`, `mismatches` (values that differ from the reference of
        its kind, spikes and, for integers, membranes). `not_run`: engine -> reason. `causes`: arithmetic -> why it may
        differ from the float reference. `bit_exact`: integer engines agree; None if none was compared. `checked`: some
        engine was compared with another, an integer one if any ran. `coverage`: `Coverage.to_dict()`, of the integers
        where they ran.

    Raises:
        UserError: no engine can run.
    """
    engines, not_run = _at_hand(artefact, inputs, options)
    rows = {name: _Row(engine) for name, engine in engines.items()}
    samples = sample_count(inputs)
    coverage = CoverageRecord()
    coverage.watch(engines.values())
    looked_at = (engines.get("fast") or next(iter(engines.values()))).name
    for start in range(0, samples, CHUNK):
        chunk = slice(start, min(start + CHUNK, samples))
        runs: dict[str, EngineRun] = {}
        for name, engine in engines.items():
            runs[name] = _run(engine, chunk)
            if progress:
                progress(name, chunk.stop - chunk.start)
        for name, row in rows.items():
            row.add(runs[name], runs)
        coverage.add(runs[looked_at], engines[looked_at].compares)
    if stress is not None:
        _run_stress(artefact, stress, rows, coverage, options)
    figures = {name: row.figures(labels) for name, row in rows.items()}
    integer = [f for f in figures.values() if f["arithmetic"] == "integer"]
    compared = [f for f in (integer or figures.values()) if f["against"]]
    return {
        "samples": samples,
        "stress_samples": 0 if stress is None else sample_count(stress),
        "engines": figures,
        "not_run": not_run,
        "causes": CAUSES,
        "bit_exact": not any(sum(f["mismatches"].values()) for f in compared) if integer and compared else None,
        "checked": bool(compared),
        "coverage": coverage.coverage().to_dict(),
    }


def _run_stress(
    artefact: Artefact,
    inputs: InputData,
    rows: dict[str, _Row],
    coverage: CoverageRecord,
    options: Callable[[str], dict[str, Any]],
) -> None:
    names = [name for name, row in rows.items() if row.engine.arithmetic == "integer"]
    engines = {name: make_engine(name, artefact, inputs, **options(name)) for name in names}
    coverage.watch(engines.values())
    samples = sample_count(inputs)
    for start in range(0, samples, CHUNK):
        chunk = slice(start, min(start + CHUNK, samples))
        runs = {name: _run(engine, chunk) for name, engine in engines.items()}
        for name in names:
            rows[name].compare(runs[name], runs)
        if "fast" in runs:
            coverage.add(runs["fast"], engines["fast"].compares)


def _at_hand(
    artefact: Artefact, inputs: InputData, options: Callable[[str], dict[str, Any]]
) -> tuple[dict[str, Engine], dict[str, str]]:
    engines, not_run = {}, {}
    for name in ENGINES:
        try:
            engines[name] = make_engine(name, artefact, inputs, **options(name))
        except UserError as error:
            not_run[name] = str(error)
    if not engines:
        raise UserError("no engine can run this", where=str(artefact.folder), remedy=next(iter(not_run.values())))
    return engines, not_run


def _run(engine: Engine, chunk: slice) -> EngineRun:
    """A chunk in the pieces that the engine likes."""
    size = max(1, engine.chunk_size(chunk.stop - chunk.start))
    parts = [
        engine.run(slice(start, min(start + size, chunk.stop)), ("spikes", *engine.compares))
        for start in range(chunk.start, chunk.stop, size)
    ]

    def joined(kind: str) -> dict[str, np.ndarray]:
        return {name: np.concatenate([getattr(p, kind)[name] for p in parts]) for name in getattr(parts[0], kind)}

    return EngineRun(joined("outputs"), joined("spikes"), joined("membrane"))


class _Row:
    """Running figures of one engine."""

    def __init__(self, engine: Engine):
        self.engine, self.against = engine, REFERENCES[engine.arithmetic]
        self.predicted: list[np.ndarray] = []
        self.equal: dict[str, int] = {}
        self.seen: dict[str, int] = {}
        self.compared: dict[str, int] = {}
        self.mismatches: dict[str, int] = {}

    def add(self, run: EngineRun, runs: dict[str, EngineRun]) -> None:
        """One chunk of this engine and of all."""
        if len(run.outputs) == 1:
            (output,) = run.outputs.values()
            self.predicted.append(output.reshape(len(output), -1).argmax(axis=1))
        if "nir" in runs:
            for layer, equal in _equal(run, runs["nir"], "spikes"):
                self.equal[layer] = self.equal.get(layer, 0) + int(equal.sum())
                self.seen[layer] = self.seen.get(layer, 0) + equal.size
        self.compare(run, runs)

    def compare(self, run: EngineRun, runs: dict[str, EngineRun]) -> None:
        """Differences alone."""
        if self.against in runs and self.against != self.engine.name:
            for kind in self.engine.compares:
                for layer, equal in _equal(run, runs[self.against], kind):
                    key = f"{layer}.{kind}"
                    self.compared[key] = self.compared.get(key, 0) + equal.size
                    self.mismatches[key] = self.mismatches.get(key, 0) + int((~equal).sum())

    def figures(self, labels: np.ndarray | None) -> dict[str, Any]:
        """See `run_agreement`."""
        right = None
        if labels is not None and self.predicted:
            right = float((np.concatenate(self.predicted) == labels).mean())
        return {
            "arithmetic": self.engine.arithmetic,
            "accuracy": right,
            "float_agreement": {layer: self.equal[layer] / max(1, n) for layer, n in self.seen.items()},
            "against": self.against if self.compared else None,
            "compared": self.compared,
            "mismatches": self.mismatches,
        }


def _equal(one: EngineRun, other: EngineRun, kind: str) -> list[tuple[str, np.ndarray]]:
    first, second = getattr(one, kind), getattr(other, kind)
    return [(layer, first[layer] == second[layer]) for layer in first if layer in second]
