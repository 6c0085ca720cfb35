"""Engine "c": the compiled network as C, built by this machine's compiler."""

from __future__ import annotations

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.converters.c.run import CNetwork
from dalif_deploy.hw_models.encode_input import encode_input
from dalif_deploy.hw_models.input_data import InputData, take_samples
from dalif_deploy.simulation.engines.engine import EngineRun, from_integers


class CEngine:
    """The code that target c exports, on this processor."""

    name, counterpart, compares = "c", "fast", ("spikes", "membrane")
    arithmetic = "integer"

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        self.network, self.data = artefact.network, data
        self.steps = encode_input(self.network, take_samples(data, slice(1)), steps=steps).steps
        self.built = CNetwork(self.network, self.steps)

    def chunk_size(self, samples: int) -> int:
        """Bounded by what is kept of a sample."""
        neurons = sum(p.size for p in self.network.populations.values())
        return max(1, min(samples, 1 << 10, (1 << 26) // max(1, neurons * self.steps)))

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        encoded = encode_input(self.network, take_samples(self.data, samples), steps=self.steps)
        return from_integers(self.network, self.steps, self.built.run(encoded, record))
