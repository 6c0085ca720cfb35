"""The face that all engines have: give me these samples, here is what each layer did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from dalif_deploy.simulation.arithmetic import ARITHMETICS

if TYPE_CHECKING:
    import numpy as np

    from dalif_deploy.converters.artefact import Artefact
    from dalif_deploy.hw_models.chip_network.form import ChipNetwork
    from dalif_deploy.hw_models.samples.input_data import InputData
    from dalif_deploy.hw_models.samples.recording import Recording

OUTPUT = "output"  # what the one output of a network of dalif-train is called
Progress = Callable[[int, int], None]


@dataclass
class EngineRun:
    """What an engine saw, in logical time.

    Attributes:
        spikes: layer -> uint8 [N, T, *shape].
        membrane: layer -> [N, T, *shape] after the reset; integers for integer engines.
        outputs: output -> [N, *shape], in the source network's units: by the network's decision rule, or, without one,
            the mean readout membrane a step, or spike counts.
    """

    outputs: dict[str, np.ndarray]
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    membrane: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class NoOptions:
    """Of an engine that has none beside those of every engine."""


def option(default: float | str, about: str) -> Any:
    """A field of an engine's options: a number or a word, of the default's type.

    Args:
        default: what holds where the user says nothing; at least 1 if it is an integer.
        about: what it is, for --help; follows the engine's name and a colon.
    """
    return field(default=default, metadata={"about": about})


class Engine(ABC):
    """One way to run an exported network; the table `ENGINES` holds the classes.

    Attributes:
        name: what `--engine` calls it.
        about: what it runs, in a few words.
        arithmetic: "integer", "float64" or "float32"; see `dalif_deploy.simulation.arithmetic`. It decides what the
            engine is compared with, and in what.
        starts_slowly: True if each call of `run` costs seconds, so that a check gives it all samples in one.
        options_type: a frozen dataclass of what only this engine can be told; each field, made by `option`, is an
            option of dalif-simulate.
    """

    name: str
    about: str
    arithmetic: str
    starts_slowly: ClassVar[bool] = False
    options_type: ClassVar[type] = NoOptions

    def __init__(
        self,
        artefact: Artefact,
        data: InputData,
        *,
        steps: int | None = None,
        options: Any = None,
        progress: Progress | None = None,
    ):
        """Every engine is made with these; what it makes of them it does in `prepare`.

        Args:
            artefact: the exported folder.
            data: all samples, [N, *shape] or [N, T, *shape]; a dict of such where there are several inputs.
            steps: of a sample, if not the exported ones.
            options: an object of `options_type`; its defaults if None.
            progress: to be called with the steps done and all, by an engine that takes long over one call.
        """
        self.artefact, self.data, self.steps, self.progress = artefact, data, steps, progress
        self.options = self.options_type() if options is None else options
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Opens what the engine needs.

        Raises:
            UserError: a package, a file or a feature is missing.
        """

    @abstractmethod
    def chunk_size(self, samples: int) -> int:
        """Samples that are best run in one call.

        Args:
            samples: how many there are to run.
        """

    @abstractmethod
    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """Runs a range of samples.

        Args:
            samples: which of the data; start and stop are set.
            record: what to keep of each layer, "spikes" and "membrane".
        """

    @property
    def counterpart(self) -> str:
        """The engine that `--check` compares this one with."""
        return ARITHMETICS[self.arithmetic].counterpart(self.name)

    @property
    def compares(self) -> tuple[str, ...]:
        """What must agree with the counterpart."""
        return ARITHMETICS[self.arithmetic].compares


def from_integers(network: ChipNetwork, steps: int, recording: Recording) -> EngineRun:
    """A recording of integers, with outputs in units of the source network."""
    import numpy as np

    outputs = {}
    for name, values in recording.outputs.items():
        output = network.outputs[name]
        scale = network.populations[output.population].scale
        if output.mode != "count" and output.over_time is None:
            values = values / (scale * steps)
        elif output.mode != "count":
            values = values / scale + output.zero * (steps if output.kept == "sum" else 1)
        if output.over_time == "mean":
            values = values / steps
        outputs[name] = np.asarray(values, dtype=np.float64)
    return EngineRun(outputs, recording.spikes, recording.membrane)
