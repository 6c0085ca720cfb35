"""Engines "onnx" and "onnx-float": the exported ONNX models in onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.simulation.engines.engine import Engine, EngineRun, from_integers

if TYPE_CHECKING:
    import numpy as np

    from dalif_deploy.converters.artefact import Artefact

STATES = 1 << 24  # values that the models may give out in one call
LARGEST_CHUNK = 128
NO_MODELS = ("has no ONNX models", "export with --target onnx")


class OnnxEngine(Engine):
    """chip.onnx: chip integers."""

    name, about, arithmetic = "onnx", "the integers in ONNX Runtime", "integer"

    def prepare(self) -> None:
        """See Engine."""
        from dalif_deploy.converters.onnx.model_file import CHIP_FILE, OnnxSession
        from dalif_deploy.hw_models.samples.encode import encode_input
        from dalif_deploy.hw_models.samples.input_data import take_samples

        self.network = self.artefact.network
        self.own_steps = encode_input(self.network, take_samples(self.data, slice(1)), steps=self.steps).steps
        _check_steps(self.artefact, self.network.steps, self.own_steps)
        self.session = OnnxSession(self.artefact.file(CHIP_FILE, *NO_MODELS))

    def chunk_size(self, samples: int) -> int:
        """Bounded by what the model gives out."""
        neurons = sum(p.size for p in self.network.populations.values())
        return max(1, min(samples, LARGEST_CHUNK, STATES // max(1, neurons * self.own_steps)))

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.converters.onnx.chip_model import chip_inputs
        from dalif_deploy.hw_models.samples.encode import encode_input
        from dalif_deploy.hw_models.samples.input_data import take_samples
        from dalif_deploy.hw_models.samples.recording import Recording

        encoded = encode_input(self.network, take_samples(self.data, samples), steps=self.own_steps)
        layers = [f"{name}.{kind}" for kind in record for name in self.network.populations]
        found = self.session.run(chip_inputs(encoded), [*self.network.outputs, *layers])
        recording = Recording(outputs={name: found[name] for name in self.network.outputs})
        for kind in record:
            setattr(recording, kind, {name: found[f"{name}.{kind}"] for name in self.network.populations})
        return from_integers(self.network, self.own_steps, recording)


class OnnxFloatEngine(Engine):
    """sequence.onnx: the graph in float32."""

    name, about, arithmetic = "onnx-float", "the float graph in ONNX Runtime", "float32"

    def prepare(self) -> None:
        """See Engine."""
        from dalif_deploy.converters.onnx.model_file import SEQUENCE_FILE, OnnxSession
        from dalif_deploy.hw_models.files.damage import damage_in_one_line
        from dalif_deploy.hw_models.graph.flat_graph import flatten_graph
        from dalif_deploy.hw_models.samples.input_data import steps_of

        self.flat = flatten_graph(self.artefact.reference)
        self.session = OnnxSession(self.artefact.file(SEQUENCE_FILE, *NO_MODELS))
        with damage_in_one_line(
            "does not say how many steps it has", where=self.artefact.folder, remedy="export it again"
        ):
            self.own_steps = int(self.session.metadata["steps"])
        wanted = steps_of(self._checked(slice(1))) or self.steps or self.own_steps
        _check_steps(self.artefact, self.own_steps, wanted)

    def chunk_size(self, samples: int) -> int:
        """Bounded by what the model gives out."""
        import math

        values = sum(math.prod(shape) for shape in self.flat.shapes.values())
        return max(1, min(samples, LARGEST_CHUNK, STATES // max(1, values * self.own_steps)))

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        import numpy as np

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
        from dalif_deploy.hw_models.samples.input_data import by_input, take_samples

        return by_input(take_samples(self.data, samples), {name: self.flat.shapes[name] for name in self.flat.inputs})


def _check_steps(artefact: Artefact, own: int, wanted: int) -> None:
    if own != wanted:
        raise UserError(
            f"the ONNX models have {own} steps, the data or --steps asks for {wanted}",
            where=str(artefact.folder),
            remedy=f"export with --steps {wanted}",
        )
