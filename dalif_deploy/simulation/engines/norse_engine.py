"""Engine "norse": the exported NIR graph in Norse's neurons, in float64."""

from __future__ import annotations

import numpy as np
import torch

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.converters.norse.norse_network import NorseNetwork
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.input_data import InputData, by_input, steps_of, take_samples
from dalif_deploy.simulation.engines.engine import EngineRun


class NorseEngine:
    """Float, and independent of ours in everything that a neuron does."""

    name, counterpart, compares = "norse", "nir", ("spikes",)
    arithmetic = "float64"

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        self.network = NorseNetwork(artefact.reference, artefact.dt)
        self.data, self.steps = data, steps or artefact.steps

    def chunk_size(self, samples: int) -> int:
        """As the float reference."""
        return min(samples, 256)

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
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

        def sample_first(kept: dict[str, torch.Tensor], kind: str, dtype: type) -> dict[str, np.ndarray]:
            if kind not in record:
                return {}
            return {name: each.transpose(0, 1).numpy().astype(dtype) for name, each in kept.items()}

        return EngineRun(
            {name: each.mean(dim=0).numpy() for name, each in outputs.items()},
            sample_first(spikes, "spikes", np.uint8),
            sample_first(membrane, "membrane", np.float64),
        )
