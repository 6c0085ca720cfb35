"""Exact counts of what a network did, a layer and a sample, from the recording of a bit-exact run.

What is counted:

* **spikes** of each population.
* **messages** of a projection: spikes (or graded values other than zero) of its source, from neurons that have at
  least one synapse there.
* **synaptic operations** of a projection: for each message, the source neuron's fan-out in stored non-zero synapses.
  Borders of a convolution are exact. A message counts when it is sent, also if a delay carries it past the last step.
* **neuron updates**, as SANA-FE's Loihi model counts them (`LoihiLifModel::update`): every neuron is accessed each
  step; the update is *active* where the membrane before it is not zero, an event arrived over a non-zero synapse, the
  bias is not zero, or the neuron fires; *inactive* elsewhere. As there, a filtered current left over from earlier
  steps does not by itself make an update active.
* **host MACs** of a layer that the host computes once a sample: zero weights included, padding not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..chip_network.apply_weight import apply_weight
from ..chip_network.form import ChipNetwork, Population, Projection
from ..errors import UserError
from ..mapping import Mapping, TrafficCounter, TrafficCounts, joined_traffic
from ..samples.recording import EncodedInput, EncodedSamples, Recording
from .fan_out import dense_macs, fan_out

EVENT_BLOCK = 1 << 22  # values of a population that are convolved at a time, to bound memory


@dataclass
class ProjectionCounts:
    """Counts of one projection; arrays are int64 [samples].

    Attributes:
        graded: the messages carry values, so an operation is a multiply-accumulate; otherwise an accumulate.
    """

    source: str
    target: str
    graded: bool
    messages: np.ndarray
    synaptic_operations: np.ndarray


@dataclass
class PopulationCounts:
    """Counts of one population; arrays are int64 [samples]."""

    neurons: int
    spikes: np.ndarray
    updates_active: np.ndarray
    updates_inactive: np.ndarray


@dataclass
class ActivityCounts:
    """Counts of a run.

    Attributes:
        sent: input or population -> int64 [samples], its messages from neurons with at least one synapse in any
            projection: each needs at least one delivery to a core.
        host_macs: host projection -> multiply-accumulates a sample.
        traffic: messages and hops on the mapped network, if a mapping was given.
        membrane_reads: membranes that are read out a sample, beside those of the last step.
    """

    steps: int
    samples: int
    populations: dict[str, PopulationCounts]
    projections: dict[str, ProjectionCounts]
    sent: dict[str, np.ndarray]
    host_macs: dict[str, int]
    traffic: TrafficCounts | None = None
    membrane_reads: int = 0

    def synaptic_operations(self, *, graded: bool | None = None) -> np.ndarray:
        """Synaptic operations of all projections, int64 [samples]; only graded or only binary ones if asked."""
        chosen = [p.synaptic_operations for p in self.projections.values() if graded is None or p.graded == graded]
        return self._sum(chosen)

    def spikes(self) -> np.ndarray:
        """Spikes of all populations, int64 [samples]."""
        return self._sum(p.spikes for p in self.populations.values())

    def updates_active(self) -> np.ndarray:
        """Active neuron updates of all populations, int64 [samples]."""
        return self._sum(p.updates_active for p in self.populations.values())

    def updates_inactive(self) -> np.ndarray:
        """Inactive neuron updates of all populations, int64 [samples]."""
        return self._sum(p.updates_inactive for p in self.populations.values())

    def messages_sent(self) -> np.ndarray:
        """Messages of all inputs and populations that need a delivery, int64 [samples]."""
        return self._sum(self.sent.values())

    def _sum(self, arrays: Iterable[np.ndarray]) -> np.ndarray:
        return sum(arrays, np.zeros(self.samples, dtype=np.int64))


def count_activity(
    network: ChipNetwork,
    encoded: EncodedSamples,
    *,
    mapping: Mapping | None = None,
    batch_size: int | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[int], None] | None = None,
) -> ActivityCounts:
    """Runs the network in the bit-exact simulator and counts, batch by batch, so that memory stays bounded.

    Args:
        mapping: of this network; messages and hops are counted on it.
        device: of the simulator.
        progress: called with the number of samples of each finished batch.

    Raises:
        UserError: no samples.
    """
    from ..simulator import simulate_chunks

    counter = ActivityCounter(network, encoded.steps, mapping)
    for samples, recording in simulate_chunks(network, encoded, batch_size=batch_size, device=device):
        counter.add(encoded.part(samples), recording)
        if progress:
            progress(samples.stop - samples.start)
    return counter.result()


class ActivityCounter:
    """Adds up the counts of one batch of samples after the other."""

    def __init__(self, network: ChipNetwork, steps: int, mapping: Mapping | None = None):
        self.network, self.steps = network, steps
        self._traffic = None if mapping is None else TrafficCounter(mapping)
        self._fan_out = {
            name: fan_out(p.weight != 0, p.geometry, network.source_shape(p.source)).ravel()
            for name, p in network.projections.items()
        }
        self._host_macs = {
            name: dense_macs(h.weight, h.geometry, network.source_shape(h.source))
            for name, h in network.host_projections.items()
        }
        self._batches: list[ActivityCounts] = []

    def add(self, encoded: EncodedInput, recording: Recording) -> None:
        """Counts a batch.

        Args:
            encoded: what went in, of these samples only.
            recording: spikes and membrane of all populations, of the same samples.
        """
        network = self.network
        sources = {name: array != 0 for name, array in {**encoded.messages, **recording.spikes}.items()}
        events = {name: self._events_a_neuron(array) for name, array in sources.items()}
        reached = {
            name: sum((self._fan_out[p.name] > 0 for p in network.outgoing(name)), np.zeros(1, dtype=bool))
            for name in events
        }
        if self._traffic:
            self._traffic.add(events)
        self._batches.append(
            ActivityCounts(
                steps=self.steps,
                samples=encoded.samples,
                populations={
                    name: self._population(p, encoded, recording, sources) for name, p in network.populations.items()
                },
                projections={
                    name: ProjectionCounts(
                        source=p.source,
                        target=p.target,
                        graded=network.sends_numbers(p.source),
                        messages=(events[p.source] * (self._fan_out[name] > 0)).sum(axis=1),
                        synaptic_operations=events[p.source] @ self._fan_out[name],
                    )
                    for name, p in network.projections.items()
                },
                sent={name: (events[name] * reached[name]).sum(axis=1) for name in events},
                host_macs=self._host_macs,
            )
        )

    def result(self) -> ActivityCounts:
        """Counts of all samples so far, in their order.

        Raises:
            UserError: there were none.
        """
        batches = [b for b in self._batches if b.samples]
        if not batches:
            raise UserError("there are no samples to count over", remedy="give at least one sample")

        network = self.network
        return replace(
            joined_counts(batches),
            traffic=self._traffic.result() if self._traffic else None,
            membrane_reads=sum(
                network.populations[o.population].size * (self.steps - 1)
                for o in network.outputs.values()
                if o.reads_each_step
            ),
        )

    def _events_a_neuron(self, nonzero: np.ndarray) -> np.ndarray:
        """Messages of each source neuron over the sample, int64 [N, neurons]; a static input repeats each step."""
        repeats = self.steps if nonzero.shape[1] == 1 else 1
        events: np.ndarray = nonzero.reshape(*nonzero.shape[:2], -1).sum(axis=1, dtype=np.int64) * repeats
        return events

    def _population(
        self,
        population: Population,
        encoded: EncodedInput,
        recording: Recording,
        sources: dict[str, np.ndarray],
    ) -> PopulationCounts:
        name, n = population.name, encoded.samples
        spikes, membrane = recording.spikes[name], recording.membrane[name]
        active = spikes != 0
        active[:, 1:] |= membrane[:, :-1] != 0  # the state before step t is what step t - 1 left
        active[:, 0] |= np.broadcast_to(population.v_start != 0, active[:, 0].shape)
        for age in range(1, min(population.refractory, spikes.shape[1] - 1) + 1):  # a counter runs
            active[:, age:] |= spikes[:, :-age] != 0
        bias = encoded.bias[name][0] if name in encoded.bias else population.bias
        active |= np.broadcast_to(bias != 0, (n, *population.shape))[:, None]
        for projection in self.network.incoming(name):
            if not active.all():
                self._add_arrivals(active, projection, sources[projection.source])
        active_updates = active.reshape(n, -1).sum(axis=1, dtype=np.int64)
        return PopulationCounts(
            neurons=population.size,
            spikes=(spikes != 0).reshape(n, -1).sum(axis=1, dtype=np.int64),
            updates_active=active_updates,
            updates_inactive=population.size * self.steps - active_updates,
        )

    def _add_arrivals(self, active: np.ndarray, projection: Projection, nonzero: np.ndarray) -> None:
        """Marks, in `active` [N, T, *shape], the neurons at which an event arrives over a non-zero synapse."""
        mask = torch.from_numpy((projection.weight != 0).astype(np.float32))
        n, shape = len(active), active.shape[2:]
        static = nonzero.shape[1] == 1
        available = 1 if static else self.steps - projection.delay
        block = max(1, EVENT_BLOCK // max(1, n * max(nonzero[0, 0].size, active[0, 0].size)))
        for start in range(0, available, block):
            stop = min(start + block, available)
            part = torch.from_numpy(nonzero[:, start:stop].astype(np.float32)).flatten(0, 1)
            # counts of 1 and more against 0, so that no rounding of a float convolution can matter
            arrived = (apply_weight(part, mask, projection.geometry) > 0.5).numpy()
            arrived = arrived.reshape(n, stop - start, *shape)
            first = start + projection.delay
            active[:, first : (None if static else stop + projection.delay)] |= arrived


def joined_counts(parts: list[ActivityCounts]) -> ActivityCounts:
    """Counts of consecutive samples of one run as one; at least one part."""

    def joined(pick: Callable[[ActivityCounts, str], np.ndarray], name: str) -> np.ndarray:
        return np.concatenate([pick(part, name) for part in parts])

    first = parts[0]
    traffic = [part.traffic for part in parts if part.traffic is not None]
    return ActivityCounts(
        steps=first.steps,
        samples=sum(part.samples for part in parts),
        populations={
            name: PopulationCounts(
                neurons=p.neurons,
                spikes=joined(lambda part, n: part.populations[n].spikes, name),
                updates_active=joined(lambda part, n: part.populations[n].updates_active, name),
                updates_inactive=joined(lambda part, n: part.populations[n].updates_inactive, name),
            )
            for name, p in first.populations.items()
        },
        projections={
            name: ProjectionCounts(
                source=p.source,
                target=p.target,
                graded=p.graded,
                messages=joined(lambda part, n: part.projections[n].messages, name),
                synaptic_operations=joined(lambda part, n: part.projections[n].synaptic_operations, name),
            )
            for name, p in first.projections.items()
        },
        sent={name: joined(lambda part, n: part.sent[n], name) for name in first.sent},
        host_macs=first.host_macs,
        traffic=joined_traffic(traffic) if traffic else None,
        membrane_reads=first.membrane_reads,
    )
