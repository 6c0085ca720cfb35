"""Runs a ChipNetwork in SANA-FE, sample after sample, and gathers spikes, membranes and what SANA-FE says it cost.

SANA-FE moves a spike one step a hop, as the chip does: a layer `depth` hops behind the input works that many steps
later. Its bias and threshold are set just then and, when its sample is over, taken away again. What its registers
hold beyond the chip's 24 bits is looked after by `register_limits`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork, Population
from dalif_deploy.hw_models.chip_network.read_output import add_step
from dalif_deploy.hw_models.mapping import Mapping
from dalif_deploy.hw_models.progress import tracked
from dalif_deploy.hw_models.samples.recording import EncodedInput, Recording

from .register_limits import CurrentLimits, clipped
from .sanafe_network import NEVER, UNIT, bias_of, build_sanafe, registers

PARTS = ("synapse", "dendrite", "soma", "network")


def _not_counted() -> np.ndarray:
    return np.zeros(0)


@dataclass
class SanafeCounts:
    """What SANA-FE counted, arrays [samples]; messages of input neurons apart from those of populations.

    Attributes:
        energy: part ("synapse", "soma", "network", "dendrite") -> joules.
        seconds: simulated time on the chip.
        accesses: neurons visited, all steps; `updates`: of these with something to do; `tail_updates`: of those after
            the layer's sample was over.
    """

    mapping: Mapping
    energy: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: np.ndarray = field(default_factory=_not_counted)
    messages: np.ndarray = field(default_factory=_not_counted)
    hops_east_west: np.ndarray = field(default_factory=_not_counted)
    hops_north_south: np.ndarray = field(default_factory=_not_counted)
    synapse_events: np.ndarray = field(default_factory=_not_counted)
    input_messages: np.ndarray = field(default_factory=_not_counted)
    input_synapse_events: np.ndarray = field(default_factory=_not_counted)
    spikes: np.ndarray = field(default_factory=_not_counted)
    accesses: np.ndarray = field(default_factory=_not_counted)
    updates: np.ndarray = field(default_factory=_not_counted)
    tail_updates: np.ndarray = field(default_factory=_not_counted)


COUNTS = ("messages", "hops_east_west", "hops_north_south", "synapse_events", "input_messages",
          "input_synapse_events", "spikes", "accesses", "updates", "tail_updates")  # fmt: skip


def run_sanafe(
    network: ChipNetwork, encoded: EncodedInput, mapping: Mapping | None = None
) -> tuple[Recording, SanafeCounts]:
    """Spikes, membranes and outputs of every population, in logical time, and SANA-FE's counts.

    Membranes that SANA-FE lets grow beyond 24 bits are clipped as the chip does, with a warning that counts them.

    Raises:
        UserError: see `build_sanafe`; a current that would wrap on the chip.
    """
    import sanafe

    made, architecture, mapping = build_sanafe(network, mapping)
    with _quiet():
        chip = sanafe.SpikingChip(architecture)
        chip.load(made)
    run = _Run(network, encoded, chip)
    samples = [run.sample(n) for n in tracked(range(encoded.samples), "SANA-FE, samples")]
    for name, membranes in run.clipped.items():
        logging.getLogger(__name__).warning(
            "warning: %s: %d membranes grew beyond 24 bits in SANA-FE, which has no limit; set to the chip's",
            name,
            membranes,
        )
    recording = Recording()
    for kind in ("spikes", "membrane"):
        kept = getattr(recording, kind)
        for name in getattr(samples[0], kind):
            kept[name] = np.stack([getattr(sample, kind)[name] for sample in samples])
    for name, output in network.outputs.items():
        population = network.populations[output.population]
        recording.outputs[name] = kept = np.zeros((len(samples), *population.shape), np.int64)
        for step in range(encoded.steps):
            spikes, membrane = (kind[population.name][:, step] for kind in (recording.spikes, recording.membrane))
            add_step(output, population, kept, spikes, membrane, step=step, steps=encoded.steps)
    counts = SanafeCounts(mapping)
    counts.energy = {part: np.array([sample.energy[part] for sample in samples]) for part in PARTS}
    counts.seconds = np.array([sample.seconds for sample in samples])
    for key in COUNTS:
        setattr(counts, key, np.array([sample.counts[key] for sample in samples], dtype=np.int64))
    return recording, counts


@dataclass
class _Sample:
    spikes: dict[str, np.ndarray]
    membrane: dict[str, np.ndarray]
    energy: dict[str, float]
    counts: dict[str, int]
    seconds: float = 0.0


class _Run:
    def __init__(self, network: ChipNetwork, encoded: EncodedInput, chip: Any):
        self.network, self.encoded, self.chip = network, encoded, chip
        self.depths = network.depths()
        self.steps = encoded.steps
        self.total = self.steps + max(self.depths.values(), default=0)
        self.neurons = chip.mapped_neuron_groups
        # the order in which SANA-FE logs potentials: groups by name
        self.logged = sorted(network.populations)
        self.currents = CurrentLimits(network, encoded.steps)
        self.clipped: dict[str, int] = {}

    def sample(self, n: int) -> _Sample:
        """One sample from rest."""
        populations = self.network.populations
        self.chip.reset()
        self._send(n)
        kept = _Sample(
            {name: np.zeros((self.steps, p.size), np.uint8) for name, p in populations.items()},
            {name: np.zeros((self.steps, p.size), np.int32) for name, p in populations.items()},
            dict.fromkeys(PARTS, 0.0),
            dict.fromkeys(COUNTS, 0),
        )
        for step in range(self.total):
            for name, population in populations.items():
                if step == self.depths[name]:
                    self._begin(population, n)
                elif step in (0, self.depths[name] + self.steps):
                    self._hold_still(population)
            with _quiet():
                seen = self.chip.sim(
                    1, "simple", 1, spike_trace=True, potential_trace=True, perf_trace=True, message_trace=True
                )
            self._keep(kept, step, seen)
            for name in populations:
                if step == self.depths[name] + self.steps:
                    # what the last step left in a membrane is forgotten in the next, which SANA-FE counts as an update
                    kept.counts["tail_updates"] += int(np.count_nonzero(kept.membrane[name][-1]))
        arrived = {name: m[n].reshape(m.shape[1], -1) for name, m in self.encoded.messages.items()}
        arrived = {name: np.broadcast_to(m, (self.steps, m.shape[1])) for name, m in arrived.items()}
        self.currents.check({**arrived, **kept.spikes}, n)
        for name, population in populations.items():
            for traces in (kept.spikes, kept.membrane):
                traces[name] = traces[name].reshape(self.steps, *population.shape)
        return kept

    def _send(self, n: int) -> None:
        """The sample's spikes to the input neurons, as many steps as it takes."""
        for name, messages in self.encoded.messages.items():
            spikes = np.zeros((self.total, int(np.prod(messages.shape[2:]))), dtype=int)
            spikes[: self.steps] = messages[n].reshape(messages.shape[1], -1)
            for neuron, mapped in enumerate(self.neurons[name]):
                mapped.set_attributes(model_attributes={"spikes": spikes[:, neuron].tolist()})

    def _begin(self, population: Population, n: int) -> None:
        given = self.encoded.bias.get(population.name)
        bias = bias_of(population, None if given is None else (given[0][n], given[1][n]))
        threshold, decay = registers(population)
        for neuron, mapped in enumerate(self.neurons[population.name]):
            mapped.set_attributes(
                model_attributes={
                    "bias": float(bias[neuron]),
                    "threshold": float(threshold[neuron]),
                    "leak_decay": float(decay[neuron]),
                }
            )

    def _hold_still(self, population: Population) -> None:
        """Before and after its sample a layer does nothing."""
        for mapped in self.neurons[population.name]:
            mapped.set_attributes(model_attributes={"bias": 0.0, "threshold": NEVER, "leak_decay": 0.0})

    def _keep(self, kept: _Sample, step: int, seen: dict[str, Any]) -> None:
        for address in seen["spike_trace"][0]:
            if address.group_name in kept.spikes:
                t = step - self.depths[address.group_name]
                kept.spikes[address.group_name][t, address.neuron_offset] = 1
                kept.counts["spikes"] += 1
        values, start = np.asarray(seen["potential_trace"][0]), 0
        for name in self.logged:
            size, t = self.network.populations[name].size, step - self.depths[name]
            if 0 <= t < self.steps:
                membrane = (values[start : start + size] * UNIT).astype(np.int64)
                kept.membrane[name][t] = self._clip(name, membrane, kept.spikes[name][t])
            start += size
        for part in PARTS:
            kept.energy[part] += seen["energy"][part]
        kept.seconds += seen["sim_time"]
        for message in seen["message_trace"][0]:
            if message["placeholder"]:
                continue
            if message["src_neuron_group_id"] in self.network.inputs:
                kept.counts["input_messages"] += 1
                kept.counts["input_synapse_events"] += message["spikes"]
                continue
            kept.counts["messages"] += 1
            kept.counts["synapse_events"] += message["spikes"]
            kept.counts["hops_east_west"] += abs(message["src_x"] - message["dest_x"])
            kept.counts["hops_north_south"] += abs(message["src_y"] - message["dest_y"])
        kept.counts["accesses"] += sum(p.size for p in self.network.populations.values())
        kept.counts["updates"] += seen["neurons_updated"]

    def _clip(self, name: str, membrane: np.ndarray, fired: np.ndarray) -> np.ndarray:
        """The membranes as the chip holds them, in SANA-FE too."""
        held = clipped(self.network.populations[name], membrane, fired)
        beyond = np.flatnonzero(held != membrane)
        for neuron in beyond.tolist():
            self.neurons[name][neuron].set_attributes(model_attributes={"potential": float(held[neuron]) / UNIT})
        if len(beyond):
            self.clipped[name] = self.clipped.get(name, 0) + len(beyond)
        return held


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """SANA-FE's library prints its progress on standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
