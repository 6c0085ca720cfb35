"""Engine "fast": the batched exact simulator, chip integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dalif_deploy.hw_models.devices import CHOICES
from dalif_deploy.simulation.engines.engine import Engine, EngineRun, from_integers, option

if TYPE_CHECKING:
    from dalif_deploy.hw_models.arithmetic.observation import Observation


@dataclass(frozen=True)
class FastOptions:
    """See `option`."""

    device: str = option("cpu", f"where it computes: {CHOICES}")


class FastEngine(Engine):
    """The batched exact simulator."""

    name, about, arithmetic = "fast", "the batched exact simulator", "integer"
    options_type = FastOptions
    observation: Observation | None = None  # counts what the arithmetic does, where one is set

    def prepare(self) -> None:
        """See Engine."""
        from dalif_deploy.hw_models.devices import chosen_device
        from dalif_deploy.hw_models.samples.encode import encode_input
        from dalif_deploy.hw_models.samples.input_data import take_samples

        self.device = chosen_device(self.options.device)
        self.network = self.artefact.network
        self.own_steps = encode_input(self.network, take_samples(self.data, slice(1)), steps=self.steps).steps

    def chunk_size(self, samples: int) -> int:
        """Bounded by what is kept of a sample."""
        neurons = sum(p.size for p in self.network.populations.values())
        return max(1, min(samples, 1 << 10, (1 << 26) // max(1, neurons * self.own_steps)))

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.hw_models.samples.encode import encode_input
        from dalif_deploy.hw_models.samples.input_data import take_samples
        from dalif_deploy.hw_models.simulator import simulate

        # a chunk at a time: all samples of a large set, and their messages, would not fit in memory
        encoded = encode_input(self.network, take_samples(self.data, samples), steps=self.own_steps)
        recording = simulate(self.network, encoded, record=record, device=self.device, observation=self.observation)
        return from_integers(self.network, self.own_steps, recording)
