"""Engine "lava": Lava's bit-accurate processes, chip integers."""

from __future__ import annotations

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.samples.input_data import InputData
from dalif_deploy.hw_models.samples.stream import InputStream
from dalif_deploy.simulation.engines.engine import EngineRun, Progress, from_integers


class LavaEngine:
    """Lava's processes, in a child process under a time limit."""

    name, counterpart, compares = "lava", "fast", ("spikes", "membrane")
    arithmetic = "integer"

    def __init__(
        self,
        artefact: Artefact,
        data: InputData,
        steps: int | None = None,
        *,
        step_limit: float = 60.0,
        total_limit: float = 3600.0,
        workers: int = 1,
        progress: Progress | None = None,
    ):
        from dalif_deploy.converters.lava.compat import require_lava

        require_lava()
        self.network = artefact.network
        self.encoded = InputStream(self.network, data, steps=steps)
        self.options = {
            "workers": workers,
            "step_limit_seconds": step_limit,
            "total_limit_seconds": total_limit,
            "progress": progress,
        }

    def chunk_size(self, samples: int) -> int:
        """All samples stream through one Lava session."""
        return samples

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.converters.lava.lava_session import run_lava

        recording = run_lava(self.network, self.encoded.range(samples), record=record, **self.options)
        return from_integers(self.network, self.encoded.steps, recording)
