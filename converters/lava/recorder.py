"""Writes down what one population does, straight from its own Lava process into memory-mapped files.

Reading a variable through Lava's `get_var` sends it element by element; a file shared by fork costs a copy.
"""

from __future__ import annotations

import numpy as np

from dalif_deploy.hw_models.chip_network.read_output import add_step

from .job import PROGRESS, Job
from .layout import from_lava


class PopulationRecorder:
    """Recorder of one population.

    Lava counts steps from 1 and each hop costs one, so a population at `depth` does the source network's step t
    (over all samples, back to back) in Lava's step t + depth + 1. What comes before or after that is not the
    network's and is left out.
    """

    def __init__(self, job: Job, name: str, depth: int):
        names = list(job.network.populations)
        self._job, self._name, self._index, self._depth = job, name, names.index(name), depth
        self._steps, self._samples = job.encoded.steps, job.encoded.samples
        self._shape = job.network.populations[name].shape
        self._population = job.network.populations[name]
        self._outputs = [(i, o) for i, o in enumerate(job.network.outputs.values()) if o.population == name]
        self._files: dict[tuple[str, int], np.ndarray] | None = None

    def moment(self, time_step: int) -> tuple[int, int] | None:
        """(sample, step) that the population does in Lava's `time_step`; None before the first and after the last."""
        sample, step = divmod(time_step - 1 - self._depth, self._steps)
        return (sample, step) if 0 <= sample < self._samples else None

    def write(self, time_step: int, spikes: np.ndarray, membrane: np.ndarray) -> None:
        """Records one step; `spikes` and `membrane` (after the reset) in Lava's layout."""
        if self._files is None:  # opened in the population's own process, at its first step
            self._open()
        assert self._files is not None
        moment = self.moment(time_step)
        if moment is not None:
            sample, step = moment
            fired = from_lava(spikes, self._shape)
            voltage = from_lava(membrane, self._shape)
            for kind, values in (("spikes", fired), ("membrane", voltage)):
                if (kind, self._index) in self._files:
                    self._files[kind, self._index][sample, step] = values
            for index, output in self._outputs:
                kept = self._files["output", index][sample]
                add_step(output, self._population, kept, fired, voltage, step=step, steps=self._steps)
        self._progress[self._index] = time_step

    def _open(self) -> None:
        mine = {("spikes", self._index), ("membrane", self._index)} | {("output", i) for i, _ in self._outputs}
        self._files = {
            (kind, index): np.load(self._job.result_path(kind, index), mmap_mode="r+")
            for kind, index, _, _ in self._job.results()
            if (kind, index) in mine
        }
        self._progress = np.load(self._job.folder / PROGRESS, mmap_mode="r+")
