"""Engine "lava": Lava's bit-accurate processes, chip integers."""

from __future__ import annotations

from dataclasses import dataclass

from dalif_deploy.simulation.engines.engine import Engine, EngineRun, from_integers, option


@dataclass(frozen=True)
class LavaOptions:
    """What Lava can be told."""

    workers: int = option(1, "interpreters that share the samples")
    step_limit: float = option(60.0, "seconds that a step may take")
    total_limit: float = option(3600.0, "seconds that the whole run may take")


class LavaEngine(Engine):
    """Lava's processes, in a child process under a time limit."""

    name, about, arithmetic = "lava", "Lava's bit-accurate processes", "integer"
    starts_slowly = True
    options_type = LavaOptions
    options: LavaOptions

    def prepare(self) -> None:
        """See Engine."""
        from dalif_deploy.converters.lava.compat import require_lava
        from dalif_deploy.hw_models.samples.stream import InputStream

        require_lava()
        self.network = self.artefact.network
        self.encoded = InputStream(self.network, self.data, steps=self.steps)

    def chunk_size(self, samples: int) -> int:
        """All samples stream through one Lava session."""
        return samples

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.converters.lava.lava_session import run_lava

        recording = run_lava(
            self.network,
            self.encoded.range(samples),
            record=record,
            workers=self.options.workers,
            step_limit_seconds=self.options.step_limit,
            total_limit_seconds=self.options.total_limit,
            progress=self.progress,
        )
        return from_integers(self.network, self.encoded.steps, recording)
