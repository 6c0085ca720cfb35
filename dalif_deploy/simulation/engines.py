"""The engines of dalif-simulate, all with one face: give me these samples, here is what each layer did.

fast    the batched exact simulator, chip integers
lava    Lava's bit-accurate processes, chip integers
torch   the trained network itself, in float64
nir     the exported NIR graph by the float reference, in float64
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from converters.artefact import Artefact
from hw_models.chip_network import ChipNetwork
from hw_models.encode_input import encode_input
from hw_models.errors import UserError
from hw_models.input_data import InputData, by_input, take_samples
from hw_models.recording import Recording

OUTPUT = "output"  # what the one output of a network of dalif-train is called
Progress = Callable[[int, int], None]


@dataclass
class EngineRun:
    """What an engine saw, in logical time.

    Attributes:
        spikes: layer -> uint8 [N, T, *shape].
        membrane: layer -> [N, T, *shape] after the reset; integers for integer engines.
        outputs: output -> [N, *shape]: mean readout membrane a step, or spike counts.
    """

    outputs: dict[str, np.ndarray]
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    membrane: dict[str, np.ndarray] = field(default_factory=dict)


class Engine(Protocol):
    """One way to run an exported network.

    `counterpart` is the engine it is checked against, `compares` what must agree between the two.
    """

    name: str
    counterpart: str
    compares: tuple[str, ...]

    def chunk_size(self, samples: int) -> int:
        """Samples that are best run in one call."""

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """Runs a range of samples, keeping "spikes" and "membrane" as asked."""


class FastEngine:
    """The batched exact simulator."""

    name, counterpart, compares = "fast", "lava", ("spikes", "membrane")

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        self.network, self.data = artefact.network, data
        self.steps = encode_input(self.network, take_samples(data, slice(1)), steps=steps).steps

    def chunk_size(self, samples: int) -> int:
        """Bounded by what is kept of a sample."""
        neurons = sum(p.size for p in self.network.populations.values())
        return max(1, min(samples, 1 << 10, (1 << 26) // max(1, neurons * self.steps)))

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from hw_models.simulator import simulate

        # a chunk at a time: all samples of a large set, and their messages, would not fit in memory
        encoded = encode_input(self.network, take_samples(self.data, samples), steps=self.steps)
        return _from_integers(self.network, self.steps, simulate(self.network, encoded, record=record))


class LavaEngine:
    """Lava's processes, in a child process under a time limit."""

    name, counterpart, compares = "lava", "fast", ("spikes", "membrane")

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
        from converters.lava.compat import require_lava

        require_lava()
        self.network = artefact.network
        self.encoded = encode_input(self.network, data, steps=steps)
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
        from converters.lava.session import run_lava

        recording = run_lava(self.network, self.encoded.part(samples), record=record, **self.options)
        return _from_integers(self.network, self.encoded.steps, recording)


class NirEngine:
    """The exported NIR graph, stepped by the float reference."""

    name, counterpart, compares = "nir", "torch", ("spikes",)

    def __init__(self, artefact: Artefact, data: InputData, steps: int | None = None):
        self.graph, self.dt, self.data = artefact.reference, artefact.dt, data
        self.steps = steps or artefact.steps

    def chunk_size(self, samples: int) -> int:
        """Small enough to keep every membrane of a chunk in memory."""
        return min(samples, 256)

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from hw_models.reference import run_reference

        run = run_reference(self.graph, take_samples(self.data, samples), dt=self.dt, steps=self.steps, record=record)
        return EngineRun({name: each.mean(axis=1) for name, each in run.outputs.items()}, run.spikes, run.membrane)


class TorchEngine:
    """The trained network, in float64 so that rounding does not decide a spike."""

    name, counterpart, compares = "torch", "nir", ("spikes",)

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


ENGINES: dict[str, type] = {e.name: e for e in (FastEngine, LavaEngine, TorchEngine, NirEngine)}


def make_engine(name: str, artefact: Artefact, data: InputData, **options: object) -> Engine:
    """The engine of that name, ready to run `data` ([N, *shape] or [N, T, *shape]).

    Raises:
        UserError: no such engine, or the exported folder lacks what it needs.
    """
    if name not in ENGINES:
        raise UserError(f"unknown engine {name!r}", remedy=f"choose one of {', '.join(ENGINES)}")
    return ENGINES[name](artefact, data, **options)


def _from_integers(network: ChipNetwork, steps: int, recording: Recording) -> EngineRun:
    outputs = {}
    for name, values in recording.outputs.items():
        output = network.outputs[name]
        if output.mode == "membrane":
            values = values / (network.populations[output.population].scale * steps)
        outputs[name] = np.asarray(values, dtype=np.float64)
    return EngineRun(outputs, recording.spikes, recording.membrane)
