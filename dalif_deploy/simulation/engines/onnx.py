"""Engines "onnx" and "onnx-float": the exported ONNX models in onnxruntime."""

from __future__ import annotations

import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line
from dalif_deploy.hw_models.graph.flat_graph import flatten_graph
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.input_data import InputData, by_input, steps_of, take_samples
from dalif_deploy.hw_models.samples.recording import Recording
from dalif_deploy.simulation.engines.engine import EngineRun, from_integers

STATES = 1 << 24  # values that the models may give out in one call
LARGEST_CHUNK = 128


class OnnxEngine:
    """chip.onnx: chip integers."""

    name, counterpart, compares = "onnx", "fast", ("spikes", "membrane")
    arithmetic = "integer"

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        from dalif_deploy.converters.onnx.model_file import OnnxSession

        self.network, self.data = artefact.network, data
        self.steps = encode_input(self.network, take_samples(data, slice(1)), steps=steps).steps
        _check_steps(artefact, self.network.steps, self.steps)
        self.session = OnnxSession(artefact.onnx("chip"))

    def chunk_size(self, samples: int) -> int:
        """Bounded by what the model gives out."""
        neurons = sum(p.size for p in self.network.populations.values())
        return max(1, min(samples, LARGEST_CHUNK, STATES // max(1, neurons * self.steps)))

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.converters.onnx.chip_model import chip_inputs

        encoded = encode_input(self.network, take_samples(self.data, samples), steps=self.steps)
        layers = [f"{name}.{kind}" for kind in record for name in self.network.populations]
        found = self.session.run(chip_inputs(encoded), [*self.network.outputs, *layers])
        recording = Recording(outputs={name: found[name] for name in self.network.outputs})
        for kind in record:
            setattr(recording, kind, {name: found[f"{name}.{kind}"] for name in self.network.populations})
        return from_integers(self.network, self.steps, recording)


class OnnxFloatEngine:
    """sequence.onnx: the graph in float32."""

    name, counterpart, compares = "onnx-float", "nir", ("spikes",)
    arithmetic = "float32"

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        from dalif_deploy.converters.onnx.model_file import OnnxSession

        self.flat, self.data = flatten_graph(artefact.reference), data
        self.session = OnnxSession(artefact.onnx("sequence"))
        with damage_in_one_line("says no number of steps", where=artefact.folder, remedy="export it again"):
            self.steps = int(self.session.metadata["steps"])
        _check_steps(artefact, self.steps, steps_of(self._checked(slice(1))) or steps or self.steps)

    def chunk_size(self, samples: int) -> int:
        """Bounded by what the model gives out."""
        values = sum(int(np.prod(shape)) for shape in self.flat.shapes.values())
        return max(1, min(samples, LARGEST_CHUNK, STATES // max(1, values * self.steps)))

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        x = {
            name: (array if moving else array[:, None]).astype(np.float32)
            for name, (array, moving) in self._checked(samples).items()
        }
        layers = {
            kind: each
            for kind, each in (("spikes", self.flat.spiking), ("membrane", self.flat.neurons))
            if kind in record
        }
        names = [f"{name}.{kind}" for kind, each in layers.items() for name in each]
        found = self.session.run(x, [*self.flat.outputs, *names])
        run = EngineRun({name: found[name] for name in self.flat.outputs})
        for kind, each in layers.items():
            setattr(run, kind, {name: found[f"{name}.{kind}"] for name in each})
        return run

    def _checked(self, samples: slice) -> dict[str, tuple[np.ndarray, bool]]:
        return by_input(take_samples(self.data, samples), {name: self.flat.shapes[name] for name in self.flat.inputs})


def _check_steps(artefact: Artefact, own: int, wanted: int) -> None:
    if own != wanted:
        raise UserError(
            f"the ONNX models have {own} steps, the data or --steps asks for {wanted}",
            where=str(artefact.folder),
            remedy=f"export with --steps {wanted}",
        )
