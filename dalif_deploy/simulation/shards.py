"""Samples shared out to a cluster: as what an engine saw of them, or as what they cost. Put together in their order.

Samples go with the shards; the exported folder is read where they run, so all machines must see it.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dalif_deploy.converters.artefact import Artefact, load_artefact
from dalif_deploy.hw_models.devices import chosen_device
from dalif_deploy.hw_models.energy.counts import ActivityCounts, count_activity, joined_counts
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.mapping import PLACEMENT_SAMPLES, Mapping, map_or_refusal
from dalif_deploy.hw_models.samples.input_data import InputData, sample_count, take_samples
from dalif_deploy.hw_models.samples.stream import InputStream
from dalif_deploy.sharding.cluster import Cluster
from dalif_deploy.sharding.workers import WorkerFailure
from dalif_deploy.simulation.engines import Engine, EngineRun, make_engine
from dalif_deploy.simulation.samples_run import joined, run_samples

SHARDS_A_PROCESS = 4  # so that one slow process does not keep the others waiting, and a death costs little
LARGEST_SHARD = 100  # samples


@dataclass
class ExportedElsewhere:
    """An exported folder, to be opened in another process: the same files, or none.

    Attributes:
        files: name -> SHA-256, as its export.json lists them.
    """

    folder: Path
    files: dict[str, str]
    _artefact: Artefact | None = field(default=None, repr=False)

    def artefact(self) -> Artefact:
        """The folder, opened once a process."""
        if self._artefact is None:
            found = load_artefact(self.folder)
            if found.export.get("files", {}) != self.files:
                what = f"is another export on {platform.node()}"
                raise UserError(what, where=str(self.folder), remedy="put it where all machines see it")
            self._artefact = found
        return self._artefact


@dataclass
class EngineShard:
    """What one engine saw of the samples that this is called with."""

    exported: ExportedElsewhere
    engine: str
    steps: int | None
    options: dict[str, object]
    record: tuple[str, ...]

    def __call__(self, data: InputData) -> EngineRun | UserError:
        """Its records, or what the user can mend."""
        try:
            engine = make_engine(self.engine, self.exported.artefact(), data, steps=self.steps, options=self.options)
            run = run_samples(engine, slice(0, sample_count(data)), self.record)
        except UserError as error:
            return error
        # Lava's are mapped files, which do not travel
        plain = [{name: np.array(values) for name, values in vars(run)[kind].items()} for kind in KINDS]
        return EngineRun(*plain)


KINDS = ("outputs", "spikes", "membrane")


class ShardedEngine(Engine):
    """An engine whose samples run in the processes of a cluster, a shard each.

    All shards are handed out at the first call of `run`, which wants them in their order.
    """

    def __init__(self, engine: Engine, cluster: Cluster):
        """Args:
        engine: the one that is shared out; here it only says what it is, and that it can run.
        """
        self.name, self.about, self.arithmetic = engine.name, engine.about, engine.arithmetic
        self._cluster = cluster
        super().__init__(engine.artefact, engine.data, steps=engine.steps, options=engine.options)

    def prepare(self) -> None:
        """See Engine."""
        self._shards = shards_of(sample_count(self.data), self._cluster)
        self._record: tuple[str, ...] | None = None
        self._given = 0  # samples that `run` has been asked for
        self._running: Iterator[tuple[int, EngineRun]] = iter(())
        self._came: dict[int, EngineRun] = {}

    def chunk_size(self, samples: int) -> int:
        """A shard."""
        return min(samples, self._shards[0].stop) if self._shards else 1

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        wanted = [
            n for n, shard in enumerate(self._shards) if shard.start < samples.stop and shard.stop > samples.start
        ]
        if record != self._record or samples.start < self._given:
            self._begin(record)
        self._given = samples.stop
        while not all(number in self._came for number in wanted):
            number, run = next(self._running)
            self._came[number] = run
        parts = []
        for number in wanted:
            shard = self._shards[number]
            parts.append(_part(self._came[number], samples.start - shard.start, samples.stop - shard.start))
            if shard.stop <= samples.stop:
                del self._came[number]
        return joined(parts)

    def _begin(self, record: tuple[str, ...]) -> None:
        self._record, self._came = record, {}
        exported = exported_elsewhere(self.artefact)
        work = EngineShard(exported, self.name, self.steps, asdict(self.options), record)
        self._running = run_shards(self._cluster, work, self.data, self._shards)


def _part(run: EngineRun, start: int, stop: int) -> EngineRun:
    """Samples `start` to `stop` of a shard's, cut to those that it has."""
    chosen = slice(max(0, start), max(0, stop))
    return EngineRun(*({name: values[chosen] for name, values in vars(run)[kind].items()} for kind in KINDS))


@dataclass
class CountShard:
    """What the samples that this is called with cost.

    Attributes:
        placement: the first samples of all, by which the network is placed on cores.
        mapped: False for a network that no chip has room for.
        device: of the simulator, see `chosen_device`; chosen where the samples are counted.
    """

    exported: ExportedElsewhere
    placement: InputData
    steps: int
    mapped: bool
    batch_size: int | None
    device: str
    _mapping: Mapping | None = field(default=None, repr=False)

    def __call__(self, data: InputData) -> ActivityCounts | UserError:
        """Counts; without the mapping, which whoever asked has."""
        try:
            network = self.exported.artefact().network
            if self.mapped and self._mapping is None:
                self._mapping, _ = map_or_refusal(network, InputStream(network, self.placement, steps=self.steps))
            encoded = InputStream(network, data, steps=self.steps)
            counts = count_activity(
                network,
                encoded,
                mapping=self._mapping,
                batch_size=self.batch_size,
                device=chosen_device(self.device),
            )
            if counts.traffic is not None:
                del counts.traffic.mapping  # as large as the network
            return counts
        except UserError as error:
            return error


def count_shards(
    artefact: Artefact,
    inputs: InputData,
    cluster: Cluster,
    *,
    steps: int,
    mapping: Mapping | None,
    batch_size: int | None,
    device: str,
    progress: Callable[[int], None] | None,
) -> ActivityCounts:
    """As `count_activity`, in the processes of a cluster; the same integers.

    Args:
        progress: called with the number of samples of each finished shard.
    """
    shards = shards_of(sample_count(inputs), cluster)
    placement = take_samples(inputs, slice(PLACEMENT_SAMPLES))
    work = CountShard(exported_elsewhere(artefact), placement, steps, mapping is not None, batch_size, device)
    found: dict[int, ActivityCounts] = {}
    for number, counts in run_shards(cluster, work, inputs, shards):
        if counts.traffic is not None:
            assert mapping is not None
            counts.traffic.mapping = mapping
        found[number] = counts
        if progress:
            progress(counts.samples)
    return joined_counts([found[number] for number in sorted(found)])


def exported_elsewhere(artefact: Artefact) -> ExportedElsewhere:
    """The folder by a name that holds in every working folder."""
    return ExportedElsewhere(artefact.folder.absolute(), artefact.export.get("files", {}))


def shards_of(samples: int, cluster: Cluster) -> list[slice]:
    """Ranges of nearly equal length, some for each process that there is now."""
    size = min(LARGEST_SHARD, max(1, -(-samples // (SHARDS_A_PROCESS * cluster.processes))))
    return [slice(start, min(start + size, samples)) for start in range(0, samples, size)]


def run_shards(
    cluster: Cluster, work: Callable[[InputData], Any], inputs: InputData, shards: list[slice]
) -> Iterator[tuple[int, Any]]:
    """(number of the shard, what `work` gave for its samples), in the order in which they end.

    Raises:
        UserError: what `work` gave; what else ended a shard.
    """
    for number, result in cluster.run(work, (take_samples(inputs, shard) for shard in shards)):
        if isinstance(result, WorkerFailure):
            shard = shards[number]
            where = f"samples {shard.start} to {shard.stop - 1}"
            raise UserError(result.what, where=where, remedy="--debug shows where") from RuntimeError(result.trace)
        if isinstance(result, UserError):
            raise result
        yield number, result
