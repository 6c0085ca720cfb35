"""Every engine at hand on the same samples, and how far their spikes agree, a layer.

Integer engines must agree with each other to the bit. Float engines are compared with the NIR graph's float reference;
where they differ, the cause is known, see `dalif_deploy.simulation.arithmetic`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.notebook_table import notebook_table
from dalif_deploy.hw_models.samples.input_data import InputData, sample_count
from dalif_deploy.simulation.arithmetic import ARITHMETICS, FLOAT_REFERENCE
from dalif_deploy.simulation.comparison import Comparison, Mismatch
from dalif_deploy.simulation.coverage import Coverage, CoverageRecord
from dalif_deploy.simulation.engines import ENGINES, Engine, EngineRun
from dalif_deploy.simulation.samples_run import run_samples, scores

# Samples that all engines run before their spikes are compared and dropped; starting Lava costs seconds a time
CHUNK = 100


@dataclass
class EngineRow:
    """What one of the engines did.

    Attributes:
        arithmetic: of the engine.
        accuracy: share of right classes; None without labels, or with several outputs.
        float_agreement: layer -> share of spikes equal to the float reference's; empty if that did not run.
        check: against the reference of its kind; None for the reference itself, and where that did not run.
    """

    arithmetic: str
    accuracy: float | None
    float_agreement: dict[str, float]
    check: Comparison | None

    def to_dict(self) -> dict[str, Any]:
        """Plain figures; `first` is there where something differs."""
        check = self.check if self.check is not None and self.check.compared else None
        row = {
            "arithmetic": self.arithmetic,
            "accuracy": self.accuracy,
            "float_agreement": self.float_agreement,
            "against": None if check is None else check.engines[1],
            "compared": {} if check is None else check.compared,
            "mismatches": {} if check is None else check.mismatches,
        }
        return row if check is None or check.first is None else {**row, "first": str(check.first)}


@dataclass(repr=False)
class Agreement:
    """What all engines made of the samples.

    Attributes:
        samples: how many.
        engines: name -> its row.
        not_run: name -> why it could not.
        bit_exact: integer engines agree; None if none was compared.
        checked: some engine was compared with another, an integer one if any ran.
        coverage: what was exercised; of the chip's integers where they ran.
        stress_samples: samples in addition, which integer engines alone were compared on.
    """

    samples: int
    engines: dict[str, EngineRow]
    not_run: dict[str, str]
    bit_exact: bool | None
    checked: bool
    coverage: Coverage
    stress_samples: int = 0

    @property
    def first_mismatch(self) -> Mismatch | None:
        """The earliest difference of an integer engine from its reference; None if there is none."""
        checks = [row.check for row in self.engines.values() if row.arithmetic == "integer" and row.check is not None]
        found = [check.first for check in checks if check.first is not None]
        return min(found, key=lambda each: each.order, default=None)

    def headline(self) -> list[tuple[str, str]]:
        """(what, figure): whether integer engines agree, then each engine and what it was held against."""
        verdict = {True: "yes", False: "NO", None: "not checked"}[self.bit_exact]
        rows = [("integer engines agree to the bit", verdict)]
        for name, row in self.engines.items():
            held = str(row.check) if row.check is not None and row.check.compared else "compared with nothing"
            rows.append((name, held))
        layers = [layer for layer in self.coverage.layers.values() if layer.fired is not None]
        fired, neurons = sum(layer.fired or 0 for layer in layers), sum(layer.neurons for layer in layers)
        return [*rows, ("neurons that fired", f"{fired:,} of {neurons:,}")]

    def __repr__(self) -> str:
        (what, verdict), *_, (_, fired) = self.headline()
        engines = ", ".join(self.engines)
        return f"<Agreement of {engines} on {self.samples:,} samples: {what}: {verdict}; {fired} neurons fired>"

    def _repr_html_(self) -> str:
        return notebook_table(f"{self.samples:,} samples", self.headline())

    def to_dict(self) -> dict[str, Any]:
        """Plain figures, with why engines of each arithmetic may differ from the float reference."""
        return {
            "samples": self.samples,
            "stress_samples": self.stress_samples,
            "engines": {name: row.to_dict() for name, row in self.engines.items()},
            "not_run": self.not_run,
            "causes": {name: kind.cause for name, kind in ARITHMETICS.items()},
            "bit_exact": self.bit_exact,
            "checked": self.checked,
            "coverage": self.coverage.to_dict(),
        }


def run_agreement(
    artefact: Artefact,
    inputs: InputData,
    labels: np.ndarray | None,
    *,
    make: Callable[[str, InputData], Engine],
    stress: InputData | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Agreement:
    """Runs all engines that the folder and the installed packages allow.

    Args:
        inputs: the samples.
        labels: [N] classes, or None.
        make: the engine of a name, over samples.
        stress: samples that integer engines alone are compared on, too; accuracy and agreement are of `inputs`.
        progress: called with samples done, and all, each counted once an engine.

    Raises:
        UserError: no engine can run.
    """
    engines, not_run = _at_hand(artefact, lambda name: make(name, inputs))
    tallies = {name: _Tally(engine) for name, engine in engines.items()}
    samples = sample_count(inputs)
    coverage = CoverageRecord()
    coverage.watch(engines.values())
    looked_at = engines.get("fast") or next(iter(engines.values()))
    done = 0
    for start in range(0, samples, CHUNK):
        chunk = slice(start, min(start + CHUNK, samples))
        runs: dict[str, EngineRun] = {}
        for name, engine in engines.items():
            runs[name] = run_samples(engine, chunk, tuple(dict.fromkeys(("spikes", *engine.compares))))
            done += chunk.stop - chunk.start
            if progress:
                progress(done, samples * len(engines))
        for name, tally in tallies.items():
            tally.add(start, runs[name], runs)
        coverage.add(runs[looked_at.name], looked_at.compares)
    if stress is not None:
        _run_stress(stress, tallies, coverage, make)
    rows = {name: tally.row(labels) for name, tally in tallies.items()}
    integer = [row for row in rows.values() if row.arithmetic == "integer"]
    checks = [row.check for row in (integer or rows.values()) if row.check is not None and row.check.compared]
    exact = not any(check.total_mismatches for check in checks) if integer and checks else None
    stress_samples = 0 if stress is None else sample_count(stress)
    return Agreement(samples, rows, not_run, exact, bool(checks), coverage.coverage(), stress_samples)


def _run_stress(
    inputs: InputData,
    tallies: dict[str, _Tally],
    coverage: CoverageRecord,
    make: Callable[[str, InputData], Engine],
) -> None:
    names = [name for name, tally in tallies.items() if tally.engine.arithmetic == "integer"]
    engines = {name: make(name, inputs) for name in names}
    coverage.watch(engines.values())
    samples = sample_count(inputs)
    for start in range(0, samples, CHUNK):
        chunk = slice(start, min(start + CHUNK, samples))
        runs = {name: run_samples(engine, chunk, ("spikes", "membrane")) for name, engine in engines.items()}
        for name in names:
            tallies[name].compare(start, runs[name], runs)
        if "fast" in runs:
            coverage.add(runs["fast"], engines["fast"].compares)


def _at_hand(artefact: Artefact, make: Callable[[str], Engine]) -> tuple[dict[str, Engine], dict[str, str]]:
    engines, not_run = {}, {}
    for name in ENGINES:
        try:
            engines[name] = make(name)
        except UserError as error:
            not_run[name] = str(error)
    if not engines:
        raise UserError("no engine can run this", where=str(artefact.folder), remedy=next(iter(not_run.values())))
    return engines, not_run


class _Tally:
    """Running figures of one engine."""

    def __init__(self, engine: Engine):
        self.engine, self.reference = engine, ARITHMETICS[engine.arithmetic].reference
        self.predicted: list[np.ndarray] = []
        self.float_spikes = Comparison((engine.name, FLOAT_REFERENCE), ("spikes",))
        self.check: Comparison | None = None
        if engine.name != self.reference:
            self.check = Comparison((engine.name, self.reference), engine.compares)

    def add(self, start: int, run: EngineRun, runs: dict[str, EngineRun]) -> None:
        """One chunk of this engine and of all."""
        scored = scores(run)
        if scored is not None:
            self.predicted.append(scored.argmax(axis=1))
        if FLOAT_REFERENCE in runs:
            self.float_spikes.add(start, run, runs[FLOAT_REFERENCE])
        self.compare(start, run, runs)

    def compare(self, start: int, run: EngineRun, runs: dict[str, EngineRun]) -> None:
        """Differences from the reference alone."""
        if self.check is not None and self.reference in runs:
            self.check.add(start, run, runs[self.reference])

    def row(self, labels: np.ndarray | None) -> EngineRow:
        right = None
        if labels is not None and self.predicted:
            right = float((np.concatenate(self.predicted) == labels).mean())
        seen, wrong = self.float_spikes.compared, self.float_spikes.mismatches
        shares = {key.removesuffix(".spikes"): (n - wrong[key]) / max(1, n) for key, n in seen.items()}
        return EngineRow(self.engine.arithmetic, right, shares, self.check)
