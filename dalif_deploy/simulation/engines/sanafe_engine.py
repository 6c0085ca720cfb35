"""Engine "sanafe": SANA-FE's Loihi, chip integers."""

from __future__ import annotations

from dalif_deploy.simulation.engines.engine import Engine, EngineRun, from_integers


class SanafeEngine(Engine):
    """An architecture simulator by others; its neurons turn out to hold the same bits."""

    name, about, arithmetic = "sanafe", "SANA-FE's Loihi", "integer"

    def prepare(self) -> None:
        """See Engine."""
        from dalif_deploy.converters.sanafe.sanafe_network import build_sanafe
        from dalif_deploy.hw_models.samples.encode import encode_input
        from dalif_deploy.hw_models.samples.input_data import take_samples

        self.network = self.artefact.network
        build_sanafe(self.network)  # what it can't hold is said now
        self.own_steps = encode_input(self.network, take_samples(self.data, slice(1)), steps=self.steps).steps

    def chunk_size(self, samples: int) -> int:
        """Building takes seconds, a sample a tenth of one."""
        return samples

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.converters.sanafe.run import run_sanafe
        from dalif_deploy.hw_models.samples.encode import encode_input
        from dalif_deploy.hw_models.samples.input_data import take_samples

        encoded = encode_input(self.network, take_samples(self.data, samples), steps=self.own_steps)
        return from_integers(self.network, self.own_steps, run_sanafe(self.network, encoded)[0])
