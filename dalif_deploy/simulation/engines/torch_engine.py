"""Engine "torch": the trained network itself, in float64."""

from __future__ import annotations

import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.samples.input_data import InputData, by_input, take_samples
from dalif_deploy.simulation.engines.engine import OUTPUT, EngineRun


class TorchEngine:
    """The trained network, in float64 so that rounding does not decide a spike."""

    name, counterpart, compares = "torch", "nir", ("spikes",)
    arithmetic = "float64"

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        from dalif_deploy.networks.checkpoint import load_checkpoint

        self.network = load_checkpoint(artefact.checkpoint).network.double().eval()
        if steps is not None:
            self.network.steps = steps
        self.data = data

    def chunk_size(self, samples: int) -> int:
        """As the float reference."""
        return min(samples, 256)

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        import torch

        with torch.no_grad():
            shape = tuple(self.network.spec.input_shape)
            ((array, moving),) = by_input(take_samples(self.data, samples), {"input": shape}).values()
            x = torch.from_numpy(np.ascontiguousarray(array)).double()
            if moving:
                x = x.transpose(0, 1)
            logits, recorded = self.network.forward_recorded(x)

        def sample_first(kind: str) -> dict[str, np.ndarray]:
            if kind not in record:
                return {}
            found = {name: layer[kind] for name, layer in recorded.items() if kind in layer}
            dtype = np.uint8 if kind == "spikes" else np.float64
            return {name: each.transpose(0, 1).numpy().astype(dtype) for name, each in found.items()}

        return EngineRun({OUTPUT: logits.numpy()}, sample_first("spikes"), sample_first("membrane"))
