"""Runs a ChipNetwork over encoded samples: batched over samples, blocked over time, exact to the bit.

Populations outside loops are run one after the other, each for a whole block of steps, so that time is folded into
the batch of the convolutions. Populations within a loop advance together, step by step. What a static input alone
brings is computed once a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import networkx as nx
import numpy as np
import torch

from ..arithmetic import arithmetic_of
from ..arithmetic.contract import NeuronState
from ..arithmetic.memory_layout import neuron_zeros
from ..arithmetic.observation import Observation, PopulationCounts
from ..chip_network.form import SYNAPSE_SHIFT, ChipNetwork, ChipOutput, Projection
from ..errors import UserError
from ..samples.recording import EncodedInput, EncodedSamples, Recording
from .exact_float import exact_float32
from .memory_fallback import Result, run_in_batches
from .recorder import Request, empty_recording, recording_part, store, wanted_records

# Neuron states of the largest population that are held at a time (samples * steps of a block * neurons): small
# enough to stay in the caches, large enough to keep the convolutions busy.
BLOCK_ELEMENTS = 1 << 21
BLOCK_STEPS = 8  # steps that a batch leaves room for
LARGEST_BATCH = 1024


def simulate(
    network: ChipNetwork,
    encoded: EncodedSamples,
    *,
    record: Request = ("spikes", "membrane"),
    batch_size: int | None = None,
    device: str | torch.device = "cpu",
    observation: Observation | None = None,
) -> Recording:
    """Runs all samples and keeps everything asked for.

    A batch that does not fit in memory is run again in halves, with a warning; the bits are the same.

    Args:
        record: any of "spikes", "membrane" and "counts", for all populations, or a dict from these to names of
            populations, such as {"spikes": ["conv1"], "counts": ["conv2"]}; outputs are always there.
        batch_size: samples at a time; chosen from the network's size by default.
        observation: what the arithmetic did is added to it; without one the run is faster.

    Returns:
        Recording over [N, T, ...].

    Raises:
        UserError: a single sample does not fit in memory.
    """
    whole = empty_recording(network, wanted_records(network, record), encoded.samples, encoded.steps)
    session = Session(network, encoded.steps, torch.device(device))

    def run(samples: slice) -> None:
        if observation is None:
            session.run(encoded.part(samples), recording_part(whole, samples))
            return
        seen = Observation.empty(network)  # of its own: a batch that memory did not suffice for is run again
        session.run(encoded.part(samples), recording_part(whole, samples), seen)
        observation.add(seen)

    for _ in _batches(run, network, encoded, batch_size):
        pass
    return whole


def simulate_chunks(
    network: ChipNetwork,
    encoded: EncodedSamples,
    *,
    record: Request = ("spikes", "membrane"),
    batch_size: int | None = None,
    device: str | torch.device = "cpu",
) -> Iterator[tuple[slice, Recording]]:
    """As `simulate`, but gives the recording of one batch after the other, so that memory stays bounded.

    Yields:
        (range of samples, their Recording). At least one, also without samples.
    """
    wanted = wanted_records(network, record)
    session = Session(network, encoded.steps, torch.device(device))

    def run(samples: slice) -> Recording:
        recording = empty_recording(network, wanted, samples.stop - samples.start, encoded.steps)
        session.run(encoded.part(samples), recording)
        return recording

    yield from _batches(run, network, encoded, batch_size)


def _batches(
    run: Callable[[slice], Result], network: ChipNetwork, encoded: EncodedSamples, size: int | None
) -> Iterator[tuple[slice, Result]]:
    block = max(1, min(encoded.steps, BLOCK_STEPS))
    size = size or max(1, min(LARGEST_BATCH, BLOCK_ELEMENTS // (_largest(network) * block)))
    return run_in_batches(run, encoded.samples, size, lambda: _least_bytes(network))


def _least_bytes(network: ChipNetwork) -> int:
    """Of one sample: membrane, current and the messages of one step, float32."""
    messages = sum(math.prod(each.shape) for each in network.inputs.values())
    return 4 * (messages + 3 * sum(p.size for p in network.populations.values()))


def _largest(network: ChipNetwork) -> int:
    return max((p.size for p in network.populations.values()), default=1)


class Session:
    """Weights and order of execution, prepared once for all batches."""

    def __init__(self, network: ChipNetwork, steps: int, device: torch.device):
        self.network, self.steps, self.device = network, steps, device
        self.arithmetic = arithmetic_of(network.chip)
        self.bounds = {name: self.arithmetic.bounds(network, p, steps) for name, p in network.populations.items()}
        self.incoming = {name: network.incoming(name) for name in network.populations}
        self.synapses = {
            name: self.arithmetic.synapses(
                p,
                self.incoming[name],
                [network.source_shape(each.source) for each in self.incoming[name]],
                self.bounds[name],
                device,
            )
            for name, p in network.populations.items()
        }
        self.groups = _execution_order(network)
        self.history = {
            name: max((p.delay for p in network.outgoing(name)), default=0)
            for name in (*network.inputs, *network.populations)
        }

    def run(self, encoded: EncodedInput, recording: Recording, observation: Observation | None = None) -> None:
        """Fills `recording`, which says by its arrays what is wanted."""
        if observation is not None:
            observation.bounds.update(self.bounds)
        with torch.no_grad(), exact_float32(self.device):
            _Batch(self, encoded, recording, observation).run()

    def in_loop(self, group: list[str]) -> bool:
        """True if the group's populations need each other's spikes of the step before."""
        return len(group) > 1 or any(p.source == group[0] for p in self.incoming[group[0]])


class _Batch:
    """State and messages of one batch of samples."""

    def __init__(self, session: Session, encoded: EncodedInput, recording: Recording, observation: Observation | None):
        self.session, self.encoded, self.recording = session, encoded, recording
        self.observation = observation
        network, samples = session.network, encoded.samples
        self.block = max(1, min(session.steps, BLOCK_ELEMENTS // max(1, _largest(network) * max(samples, 1))))
        self.states: dict[str, NeuronState] = {}
        for name, population in network.populations.items():
            mant_exp = encoded.bias.get(name)
            bias = None if mant_exp is None else mant_exp[0].astype(np.int32) << mant_exp[1].astype(np.int32)
            arithmetic, bounds = session.arithmetic, session.bounds[name]
            self.states[name] = arithmetic.state(population, bounds, samples, session.device, bias, self._seen(name))
        self.still = {name for name, array in encoded.messages.items() if array.shape[1] == 1}
        # what was sent in the steps before this block that is still to arrive, and in this block
        self.sent = {
            name: neuron_zeros((past + self.block, samples), network.source_shape(name), session.device)
            for name, past in session.history.items()
            if name in network.populations or self._sends_by_step(name)
        }
        self.counts = {
            name: neuron_zeros((samples,), network.populations[name].shape, session.device).to(torch.int64)
            for name in {*recording.counts, *(o.population for o in network.outputs.values() if o.mode == "count")}
        }
        # outputs that take the membranes of all steps
        self.gathered: dict[str, torch.Tensor] = {}
        self.gathering = {
            name: [o for o in network.outputs.values() if o.population == name and o.reads_each_step]
            for name in network.populations
        }
        self.static = {name: self._static_sum(name) for name in network.populations}
        self.static_drive: dict[str, torch.Tensor | None] = {}

    def run(self) -> None:
        session, recording = self.session, self.recording
        for start in range(0, session.steps, self.block):
            length = min(self.block, session.steps - start)
            self._load_inputs(start, length)
            for group in session.groups:
                self._run_group(group, start, length)
            for name in session.network.populations:
                past = session.history[name]
                fired = self.sent[name][past : past + length]
                if name in recording.spikes:
                    store(recording.spikes[name][:, start : start + length], fired.transpose(0, 1))
                if name in self.counts:
                    self.counts[name] += _count(fired)
            for name, sent in self.sent.items():
                past = session.history[name]
                if past:
                    sent[:past] = sent[length : length + past].clone()
        for name, counts in recording.counts.items():
            store(counts, self.counts[name])
        for output in session.network.outputs.values():
            store(recording.outputs[output.name], self._read(output, length))

    def _read(self, output: ChipOutput, length: int) -> torch.Tensor:
        """[N, *shape] after the last step, the last of `length` in its block."""
        name = output.population
        fired = self.sent[name][self.session.history[name] + length - 1]
        if output.mode != "count":
            return self.gathered[output.name] if output.reads_each_step else self._membrane(output, fired)
        if output.kept == "last":
            return fired
        # the compiler lets no maximum over counts of a step through
        return self.counts[name].clamp(max=1) if output.kept == "max" else self.counts[name]

    def _membrane(self, output: ChipOutput, fired: torch.Tensor) -> torch.Tensor:
        """What the output takes of this step, int64 [N, *shape]."""
        membrane = self.states[output.population].v.to(torch.int64)
        if output.mode == "membrane_before_reset":
            threshold = self.session.network.populations[output.population].vth << SYNAPSE_SHIFT
            membrane = membrane + fired.to(torch.int64) * torch.as_tensor(threshold, device=fired.device)
        return membrane

    def _gather(self, output: ChipOutput, fired: torch.Tensor) -> None:
        before, now = self.gathered.get(output.name), self._membrane(output, fired)
        if before is not None:
            now = torch.maximum(before, now) if output.kept == "max" else before + now
        self.gathered[output.name] = now

    def _arrives_static(self, projection: Projection) -> bool:
        # one that is delayed brings nothing at first
        return projection.source in self.still and projection.delay == 0

    def _sends_by_step(self, name: str) -> bool:
        return any(not self._arrives_static(p) for p in self.session.network.outgoing(name))

    def _static_sum(self, name: str) -> torch.Tensor | None:
        messages = {}
        for index, projection in enumerate(self.session.incoming[name]):
            if self._arrives_static(projection):
                levels = torch.from_numpy(self.encoded.messages[projection.source]).to(self.session.device)
                messages[index] = levels.transpose(0, 1).to(torch.float32)
                self._carry(projection, levels, self.session.steps)
        total = self.session.synapses[name].sum(messages, None, self._seen(name))
        return None if total is None else total[0]

    def _seen(self, name: str) -> PopulationCounts | None:
        return None if self.observation is None else self.observation.populations[name]

    def _carry(self, projection: Projection, messages: torch.Tensor, times: int = 1) -> None:
        if self.observation is not None:
            self.observation.carried[projection.name] += int(torch.count_nonzero(messages)) * times

    def _load_inputs(self, start: int, length: int) -> None:
        for name in self.encoded.messages.keys() & self.sent.keys():
            messages = self.encoded.messages[name]
            part = messages if name in self.still else messages[:, start : start + length]
            past = self.session.history[name]
            self.sent[name][past : past + length] = torch.from_numpy(part).to(self.session.device).transpose(0, 1)

    def _run_group(self, group: list[str], start: int, length: int) -> None:
        # a loop advances a step at a time, all its populations together; the rest a block at a time
        stride = 1 if self.session.in_loop(group) else length
        for first in range(0, length, stride):
            for name in group:
                self._run_population(name, start, range(first, first + stride))

    def _run_population(self, name: str, start: int, steps: range) -> None:
        """Steps of one population; `steps` count from the block's first, `start`."""
        state, past = self.states[name], self.session.history[name]
        moving = self._moving(name)
        block = self._current(name, steps, moving) if state.filters_current else self._drive(name, steps, moving)
        for index, t in enumerate(steps):
            drive = block[index] if moving and block is not None else block
            if state.filters_current:
                drive = state.filtered_drive(drive)
            state.step(drive, self.sent[name][past + t], overwrite=bool(moving) and not state.filters_current)
            for output in self.gathering[name]:
                self._gather(output, self.sent[name][past + t])
            if name in self.recording.membrane:
                store(self.recording.membrane[name][:, start + t], state.v)

    def _drive(self, name: str, steps: range, moving: list[int]) -> torch.Tensor | None:
        """[B, N, *shape], or [N, *shape] where nothing moves; see `NeuronState.drive`."""
        if moving:
            return self.states[name].drive(self._current(name, steps, moving))
        if name not in self.static_drive:
            self.static_drive[name] = self.states[name].drive(self._current(name, steps, moving))
        return self.static_drive[name]

    def _current(self, name: str, steps: range, moving: list[int]) -> torch.Tensor | None:
        """[B, N, *shape], or [N, *shape] where nothing moves; see `Synapses.current`."""
        messages = {}
        for index in moving:
            projection = self.session.incoming[name][index]
            past = self.session.history[projection.source] - projection.delay
            messages[index] = self.sent[projection.source][past + steps.start : past + steps.stop]
            self._carry(projection, messages[index])
        synapses, seen = self.session.synapses[name], self._seen(name)
        return synapses.current(synapses.sum(messages, self.static[name], seen), seen)

    def _moving(self, name: str) -> list[int]:
        """Projections whose messages differ from step to step."""
        return [i for i, p in enumerate(self.session.incoming[name]) if not self._arrives_static(p)]


def _count(fired: torch.Tensor) -> torch.Tensor:
    """Sum over the steps of a block [B, N, ...], int64; adding step by step is several times faster than `sum`."""
    total = fired[0].clone()
    for step in fired[1:]:
        total.add_(step)
    return total.to(torch.int64)


def _execution_order(network: ChipNetwork) -> list[list[str]]:
    """Populations in order of data flow; those of one loop stand together, ordered by pipeline stage."""
    graph = nx.DiGraph()
    graph.add_nodes_from(network.populations)
    graph.add_edges_from((p.source, p.target) for p in network.projections.values() if p.source in network.populations)
    try:
        depth = network.depths()
    except ValueError as error:
        raise UserError(str(error), remedy="give at least one projection of the loop a delay") from error
    condensed = nx.condensation(graph)
    order = nx.lexicographical_topological_sort(condensed, key=lambda c: min(condensed.nodes[c]["members"]))
    return [sorted(condensed.nodes[c]["members"], key=lambda name: (depth[name], name)) for c in order]
