"""Engine "sanafe": SANA-FE's Loihi, chip integers."""

from __future__ import annotations

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.converters.sanafe.run import run_sanafe
from dalif_deploy.converters.sanafe.sanafe_network import build_sanafe
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.input_data import InputData, take_samples
from dalif_deploy.simulation.engines.engine import EngineRun, from_integers


class SanafeEngine:
    """An architecture simulator by others; its neurons turn out to hold the same bits."""

    name, counterpart, compares = "sanafe", "fast", ("spikes", "membrane")
    arithmetic = "integer"

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        self.network, self.data = artefact.network, data
        build_sanafe(self.network)  # what it can't hold is said now
        self.steps = encode_input(self.network, take_samples(data, slice(1)), steps=steps).steps

    def chunk_size(self, samples: int) -> int:
        """Building takes seconds, a sample a tenth of one."""
        return samples

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        encoded = encode_input(self.network, take_samples(self.data, samples), steps=self.steps)
        return from_integers(self.network, self.steps, run_sanafe(self.network, encoded)[0])
