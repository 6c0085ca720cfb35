"""Samples through an engine, in the pieces that it likes."""

from __future__ import annotations

import numpy as np

from dalif_deploy.simulation.engines.engine import Engine, EngineRun


def run_samples(engine: Engine, samples: slice, record: tuple[str, ...]) -> EngineRun:
    """What the engine saw of all of them.

    Args:
        samples: start and stop are set.
        record: "spikes" and "membrane", as asked.
    """
    size = max(1, engine.chunk_size(samples.stop - samples.start))
    starts = range(samples.start, samples.stop, size)
    return joined([engine.run(slice(start, min(start + size, samples.stop)), record) for start in starts])


def joined(runs: list[EngineRun]) -> EngineRun:
    """Runs of consecutive samples as one."""
    if len(runs) == 1:
        return runs[0]

    def kind(name: str) -> dict[str, np.ndarray]:
        kept = [getattr(run, name) for run in runs]
        return {layer: np.concatenate([each[layer] for each in kept]) for layer in kept[0]}

    return EngineRun(kind("outputs"), kind("spikes"), kind("membrane"))


def scores(run: EngineRun) -> np.ndarray | None:
    """[N, classes], None where several outputs leave open which one labels mean."""
    if len(run.outputs) != 1:
        return None
    (output,) = run.outputs.values()
    return output.reshape(len(output), -1)
