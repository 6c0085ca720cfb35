"""Engine "c": the compiled network as C, built by this machine's compiler."""

from __future__ import annotations

from dalif_deploy.simulation.engines.engine import Engine, EngineRun, from_integers


class CEngine(Engine):
    """The code that target c exports, on this processor."""

    name, about, arithmetic = "c", "the integers as C, built by this machine's compiler", "integer"

    def prepare(self) -> None:
        """See Engine."""
        from dalif_deploy.converters.c.run import CNetwork
        from dalif_deploy.hw_models.samples.encode import encode_input
        from dalif_deploy.hw_models.samples.input_data import take_samples

        self.network = self.artefact.network
        self.own_steps = encode_input(self.network, take_samples(self.data, slice(1)), steps=self.steps).steps
        self.built = CNetwork(self.network, self.own_steps)

    def chunk_size(self, samples: int) -> int:
        """Bounded by what is kept of a sample."""
        neurons = sum(p.size for p in self.network.populations.values())
        return max(1, min(samples, 1 << 10, (1 << 26) // max(1, neurons * self.own_steps)))

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.hw_models.samples.input_data import take_samples

        recording = self.built.run_data(take_samples(self.data, samples), record, steps=self.own_steps)
        return from_integers(self.network, self.own_steps, recording)
