"""What a check exercised: a comparison without a difference says nothing of neurons and paths that never ran.

Spikes and values are those of the engine that was checked. What the arithmetic of the chip's integers did inside
(decays, clips, wraps, delays) is counted by the exact simulator, where it is one of the engines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dalif_deploy.hw_models.arithmetic.observation import Observation, arithmetic_paths
from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.errors import CheckFailed
from dalif_deploy.simulation.engines.engine import Engine, EngineRun
from dalif_deploy.simulation.engines.fast_engine import FastEngine


@dataclass
class LayerCoverage:
    """What a check exercised of a layer.

    Attributes:
        neurons: of the layer.
        fired: neurons that fired at least once; None for a layer that never fires by its kind (a readout).
        compared: values compared (spikes, and membranes where these are).
        nonzero: values compared that were not 0.
        paths: path of the arithmetic that the layer has -> how often it ran; empty without the exact simulator.
        counts: the simulator's own counts, see `hw_models.arithmetic.observation.PopulationCounts`; alike.
    """

    neurons: int
    fired: int | None
    compared: int
    nonzero: int
    paths: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def idle_paths(self) -> list[str]:
        """Paths that never ran."""
        return [path for path, count in self.paths.items() if not count]


@dataclass
class Coverage:
    """What a check exercised, over all its samples."""

    layers: dict[str, LayerCoverage]

    @property
    def silent(self) -> list[str]:
        """Layers that could fire by their kind and never did."""
        return [name for name, layer in self.layers.items() if layer.fired == 0]

    @property
    def proves_nothing(self) -> str | None:
        """Why a check that found no difference proves nothing; None where it proves something."""
        if not self.layers:
            return None
        if not any(layer.nonzero for layer in self.layers.values()):
            return "every value compared was 0"
        firing = [layer for layer in self.layers.values() if layer.fired is not None]
        return "no neuron fired" if firing and not any(layer.fired for layer in firing) else None

    def not_exercised(self) -> list[str]:
        """A line for each layer that never fired, and for each whose arithmetic has paths that never ran."""
        lines = [f"layer {name} never fired" for name in self.silent]
        for name, layer in self.layers.items():
            idle = [path for path in layer.idle_paths if not (name in self.silent and path == "spike")]
            if idle:
                lines.append(f"layer {name}: never ran: {', '.join(idle)}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "layers": {name: asdict(layer) for name, layer in self.layers.items()},
            "not_exercised": self.not_exercised(),
            "proves_nothing": self.proves_nothing,
        }


REMEDY = "check on samples that make the network fire, or add --stress 64; see dalif-export's warnings, is --dt right?"


def require_proof(coverage: Coverage, where: str) -> None:
    """Raises CheckFailed where a check proved nothing."""
    if coverage.proves_nothing:
        raise CheckFailed(f"the check proves nothing: {coverage.proves_nothing}", where=where, remedy=REMEDY)


class CoverageRecord:
    """Gathers a `Coverage` chunk by chunk."""

    def __init__(self) -> None:
        self._network: ChipNetwork | None = None
        self._observation: Observation | None = None
        self._fired: dict[str, np.ndarray] = {}
        self._neurons: dict[str, int] = {}
        self._compared: dict[str, int] = {}
        self._nonzero: dict[str, int] = {}

    def watch(self, engines: Iterable[Engine]) -> None:
        """Makes the exact simulator, if it is one of the engines that are compared, count what its arithmetic does."""
        for engine in engines:
            if isinstance(engine, FastEngine):
                if self._observation is None:
                    self._network, self._observation = engine.network, Observation.empty(engine.network)
                engine.observation = self._observation

    def add(self, run: EngineRun, kinds: tuple[str, ...]) -> None:
        """A chunk of the engine that is checked: records [N, T, *shape] of `kinds`, which are compared."""
        for kind in kinds:
            for layer, values in getattr(run, kind).items():
                self._neurons[layer] = int(np.prod(values.shape[2:]))
                self._compared[layer] = self._compared.get(layer, 0) + values.size
                self._nonzero[layer] = self._nonzero.get(layer, 0) + int(np.count_nonzero(values))
        for layer, spikes in run.spikes.items():
            fired = spikes.any(axis=(0, 1))
            self._fired[layer] = fired | self._fired.get(layer, np.zeros_like(fired))

    def coverage(self) -> Coverage:
        """Of all chunks so far."""
        return Coverage({layer: self._layer(layer) for layer in self._compared})

    def _layer(self, name: str) -> LayerCoverage:
        fires = name in self._fired
        paths: dict[str, int] = {}
        counts: dict[str, int] = {}
        if self._network is not None and self._observation is not None and name in self._network.populations:
            fires = self._network.populations[name].fires
            paths = arithmetic_paths(self._network, self._observation, name)
            seen = vars(self._observation.populations[name])
            counts = {key: value for key, value in seen.items() if key != "fired"}
        fired = int(self._fired[name].sum()) if fires else None
        return LayerCoverage(self._neurons[name], fired, self._compared[name], self._nonzero[name], paths, counts)
