"""The face that all engines have: give me these samples, here is what each layer did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.samples.recording import Recording

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

    `counterpart` is the engine it is checked against, `compares` what must agree between the two; `arithmetic` is
    "integer", "float64" or "float32".
    """

    name: str
    counterpart: str
    compares: tuple[str, ...]
    arithmetic: str

    def chunk_size(self, samples: int) -> int:
        """Samples that are best run in one call."""

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """Runs a range of samples, keeping "spikes" and "membrane" as asked."""


def from_integers(network: ChipNetwork, steps: int, recording: Recording) -> EngineRun:
    """A recording of integers, with outputs in units of the source network."""
    outputs = {}
    for name, values in recording.outputs.items():
        output = network.outputs[name]
        if output.mode == "membrane":
            values = values / (network.populations[output.population].scale * steps)
        outputs[name] = np.asarray(values, dtype=np.float64)
    return EngineRun(outputs, recording.spikes, recording.membrane)
