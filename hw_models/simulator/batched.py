"""Runs a ChipNetwork over encoded samples: batched over samples, blocked over time, exact to the bit.

Populations outside loops are run one after the other, each for a whole block of steps, so that time is folded into
the batch of the convolutions. Populations within a loop advance together, step by step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import networkx as nx
import numpy as np
import torch

from hw_models.chip_network import ChipNetwork
from hw_models.errors import UserError
from hw_models.recording import EncodedInput, Recording
from hw_models.simulator.exact_float import exact_float32
from hw_models.simulator.exactness import population_bounds
from hw_models.simulator.population_state import PopulationState
from hw_models.simulator.synaptic_input import SynapticInput

# Neuron states of the largest population that are held at a time (samples * steps of a block * neurons): small
# enough to stay near the caches, large enough to keep the convolutions busy.
BLOCK_ELEMENTS = 1 << 21

RECORDS = ("spikes", "membrane")


def simulate(
    network: ChipNetwork,
    encoded: EncodedInput,
    *,
    record: Iterable[str] = RECORDS,
    batch_size: int | None = None,
    device: str | torch.device = "cpu",
) -> Recording:
    """Runs all samples and keeps everything asked for.

    Args:
        record: any of "spikes" and "membrane"; outputs are always there.
        batch_size: samples at a time; chosen from the network's size by default.

    Returns:
        Recording over [N, T, ...].
    """
    chunks = [
        part for _, part in simulate_chunks(network, encoded, record=record, batch_size=batch_size, device=device)
    ]

    def joined(field: str) -> dict[str, np.ndarray]:
        return {name: np.concatenate([getattr(c, field)[name] for c in chunks]) for name in getattr(chunks[0], field)}

    return Recording(joined("spikes"), joined("membrane"), joined("outputs"))


def simulate_chunks(
    network: ChipNetwork,
    encoded: EncodedInput,
    *,
    record: Iterable[str] = RECORDS,
    batch_size: int | None = None,
    device: str | torch.device = "cpu",
) -> Iterator[tuple[slice, Recording]]:
    """As `simulate`, but gives the recording of one batch after the other, so that memory stays bounded.

    Yields:
        (range of samples, their Recording). At least one, also without samples.
    """
    record = set(record)
    if not record <= set(RECORDS):
        raise ValueError(f"record takes {RECORDS}, got {sorted(record)}")
    largest = max((p.size for p in network.populations.values()), default=1)
    batch_size = batch_size or max(1, min(1024, BLOCK_ELEMENTS // (largest * max(1, min(encoded.steps, 8)))))
    session = _Session(network, encoded.steps, torch.device(device))
    for start in range(0, max(encoded.samples, 1), batch_size):
        samples = slice(start, min(start + batch_size, encoded.samples))
        with torch.no_grad(), exact_float32():
            recording = session.run(encoded.part(samples), record)
        yield samples, recording


class _Session:
    """Weights and order of execution, prepared once for all batches."""

    def __init__(self, network: ChipNetwork, steps: int, device: torch.device):
        self.network, self.steps, self.device = network, steps, device
        self.bounds = {name: population_bounds(network, p, steps) for name, p in network.populations.items()}
        self.incoming = {name: network.incoming(name) for name in network.populations}
        self.synapses = {
            name: SynapticInput(p, self.incoming[name], self.bounds[name], device)
            for name, p in network.populations.items()
        }
        self.groups = _execution_order(network)
        self.history = {
            name: max((p.delay for p in network.outgoing(name)), default=0)
            for name in (*network.inputs, *network.populations)
        }
        largest = max((p.size for p in network.populations.values()), default=1)
        self.largest = largest

    def run(self, encoded: EncodedInput, record: set[str]) -> Recording:
        n, steps, network = encoded.samples, self.steps, self.network
        block = max(1, min(steps, BLOCK_ELEMENTS // max(1, self.largest * max(n, 1))))
        states = {}
        for name, population in network.populations.items():
            mant_exp = encoded.bias.get(name)
            bias = None if mant_exp is None else mant_exp[0].astype(np.int64) << mant_exp[1].astype(np.int64)
            states[name] = PopulationState(population, self.bounds[name], n, self.device, bias)
        sent = {
            name: torch.zeros((self.history[name] + block, n, *network.source_shape(name)), device=self.device)
            for name in self.history
        }
        keep_all = {
            kind: {
                name: np.zeros((n, steps, *p.shape), dtype=np.uint8 if kind == "spikes" else np.int32)
                for name, p in network.populations.items()
            }
            for kind in record
        }
        counts = {
            o.population: torch.zeros(
                (n, *network.populations[o.population].shape), dtype=torch.int64, device=self.device
            )
            for o in network.outputs.values()
            if o.mode == "count"
        }
        for start in range(0, steps, block):
            length = min(block, steps - start)
            self._load_inputs(encoded, sent, start, length)
            for group in self.groups:
                self._run_group(group, states, sent, length, keep_all.get("membrane"), start)
            for name in network.populations:
                fired = sent[name][self.history[name] : self.history[name] + length]
                if "spikes" in keep_all:
                    keep_all["spikes"][name][:, start : start + length] = (
                        fired.transpose(0, 1).to(torch.uint8).cpu().numpy()
                    )
                if name in counts:
                    counts[name] += fired.sum(0).to(torch.int64)
            for name, past in self.history.items():
                if past:
                    sent[name][:past] = sent[name][length : length + past].clone()
        outputs = {
            o.name: (counts[o.population] if o.mode == "count" else states[o.population].v.to(torch.int64))
            .cpu()
            .numpy()
            for o in network.outputs.values()
        }
        return Recording(keep_all.get("spikes", {}), keep_all.get("membrane", {}), outputs)

    def _load_inputs(self, encoded: EncodedInput, sent: dict[str, torch.Tensor], start: int, length: int) -> None:
        for name, messages in encoded.messages.items():
            part = messages if messages.shape[1] == 1 else messages[:, start : start + length]
            past = self.history[name]
            sent[name][past : past + length] = torch.from_numpy(part).to(self.device).transpose(0, 1)

    def _run_group(
        self,
        group: list[str],
        states: dict[str, PopulationState],
        sent: dict[str, torch.Tensor],
        length: int,
        membranes: dict[str, np.ndarray] | None,
        start: int,
    ) -> None:
        # a loop advances a step at a time, all its populations together; the rest a block at a time
        stride = 1 if self._loops(group) else length
        for first in range(0, length, stride):
            for name in group:
                steps = range(first, first + stride)
                messages = [self._messages(p, sent, steps) for p in self.incoming[name]]
                current = self.synapses[name](messages)
                for index, t in enumerate(steps):
                    # a static input gives one current for all steps
                    step_current = None if current is None else current[index if len(current) > 1 else 0]
                    sent[name][self.history[name] + t] = states[name].step(step_current)
                    if membranes is not None:
                        membranes[name][:, start + t] = states[name].v.to(torch.int32).cpu().numpy()

    def _loops(self, group: list[str]) -> bool:
        return len(group) > 1 or any(p.source == group[0] for p in self.incoming[group[0]])

    def _messages(self, projection, sent: dict[str, torch.Tensor], steps: range) -> torch.Tensor:
        past = self.history[projection.source] - projection.delay
        return sent[projection.source][past + steps.start : past + steps.stop]


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
