"""Engine "fast": the batched exact simulator, chip integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.input_data import InputData, take_samples
from dalif_deploy.simulation.engines.engine import EngineRun, from_integers

if TYPE_CHECKING:
    from dalif_deploy.hw_models.simulator.observation import Observation


class FastEngine:
    """The batched exact simulator."""

    name, counterpart, compares = "fast", "lava", ("spikes", "membrane")
    arithmetic = "integer"

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        self.network, self.data = artefact.network, data
        self.observation: Observation | None = None  # counts what the arithmetic does, where one is set
        self.steps = encode_input(self.network, take_samples(data, slice(1)), steps=steps).steps

    def chunk_size(self, samples: int) -> int:
        """Bounded by what is kept of a sample."""
        neurons = sum(p.size for p in self.network.populations.values())
        return max(1, min(samples, 1 << 10, (1 << 26) // max(1, neurons * self.steps)))

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.hw_models.simulator import simulate

        # a chunk at a time: all samples of a large set, and their messages, would not fit in memory
        encoded = encode_input(self.network, take_samples(self.data, samples), steps=self.steps)
        recording = simulate(self.network, encoded, record=record, observation=self.observation)
        return from_integers(self.network, self.steps, recording)
