"""Engine "nir": the exported NIR graph by the float reference, in float64."""

from __future__ import annotations

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.samples.input_data import InputData, take_samples
from dalif_deploy.simulation.engines.engine import EngineRun


class NirEngine:
    """The exported NIR graph, stepped by the float reference."""

    name, counterpart, compares = "nir", "torch", ("spikes",)
    arithmetic = "float64"

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        self.graph, self.dt, self.data = artefact.reference, artefact.dt, data
        self.steps = steps or artefact.steps

    def chunk_size(self, samples: int) -> int:
        """Small enough to keep every membrane of a chunk in memory."""
        return min(samples, 256)

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.hw_models.reference import run_reference

        run = run_reference(self.graph, take_samples(self.data, samples), dt=self.dt, steps=self.steps, record=record)
        return EngineRun({name: each.mean(axis=1) for name, each in run.outputs.items()}, run.spikes, run.membrane)
