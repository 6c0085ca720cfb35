"""Engine "norse": the exported NIR graph in Norse's neurons, in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.simulation.engines.engine import Engine, EngineRun

if TYPE_CHECKING:
    import numpy as np
    import torch


class NorseEngine(Engine):
    """Float, and independent of ours in everything that a neuron does."""

    name, about, arithmetic = "norse", "the float graph in Norse's neurons", "float64"

    def prepare(self) -> None:
        """See Engine."""
        from dalif_deploy.converters.norse.norse_network import NorseNetwork
        from dalif_deploy.hw_models.graph.decision_rule import DecisionReader

        self.network = NorseNetwork(self.artefact.reference, self.artefact.dt)
        self.decision = DecisionReader(self.network.flat, self.artefact.dt)
        if "current" in self.decision.needs:
            raise UserError(
                "the class is read from the membrane before a reset to zero, which Norse does not show",
                remedy="use --engine nir",
            )
        self.steps = self.steps or self.artefact.steps

    def chunk_size(self, samples: int) -> int:
        """As the float reference."""
        return min(samples, 256)

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        import numpy as np
        import torch

        from dalif_deploy.hw_models.samples.input_data import by_input, steps_of, take_samples

        flat = self.network.flat
        checked = by_input(take_samples(self.data, samples), {name: flat.shapes[name] for name in flat.inputs})
        steps = steps_of(checked) or self.steps
        if steps is None:
            raise UserError("static data needs a number of steps", remedy="give --steps")
        x = {}
        for name, (array, moving) in checked.items():
            tensor = torch.from_numpy(np.ascontiguousarray(array))
            x[name] = tensor.transpose(0, 1) if moving else tensor.expand(steps, *tensor.shape)
        with torch.no_grad():
            outputs, spikes, membrane = self.network.run(x)

        def sample_first(kept: dict[str, torch.Tensor], dtype: type) -> dict[str, np.ndarray]:
            return {name: each.transpose(0, 1).numpy().astype(dtype) for name, each in kept.items()}

        asked = {
            kind: sample_first(kept, dtype) if kind in (*record, *self.decision.needs) else {}
            for kind, kept, dtype in (("spikes", spikes, np.uint8), ("membrane", membrane, np.float64))
        }
        decided = self.decision(sample_first(outputs, np.float64), **asked)
        return EngineRun(decided, **{kind: each for kind, each in asked.items() if kind in record})
