"""A network in training whose forward pass is the compiled network's: what is learned is what the chip computes.

At each change of the weights the compiler makes the chip's integers anew, batch norm folded with its running averages,
and the simulator's own code runs them, layer by layer. Gradients pass straight through to the float weights: each
layer's current has the value that the chip gives it and the gradient that the float layer has there, for the same
spikes. So the exported network, compiled with the same options, is the one that was trained, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from dalif_deploy.converters.dalif_to_nir import network_to_nir
from dalif_deploy.hardware_aware.chip_sequence import ChipSequence
from dalif_deploy.hardware_aware.chip_step import ChipStep
from dalif_deploy.hardware_aware.shared_decays import SharedDecays, shared_decays
from dalif_deploy.hw_models.arithmetic.lava.exactness import Bounds, population_bounds
from dalif_deploy.hw_models.arithmetic.lava.population_state import PopulationState
from dalif_deploy.hw_models.arithmetic.lava.synaptic_input import SynapticInput
from dalif_deploy.hw_models.arithmetic.memory_layout import laid_out
from dalif_deploy.hw_models.chip_network.form import DECAY_UNITY, ChipNetwork, Population
from dalif_deploy.hw_models.chips.description import load_chip
from dalif_deploy.hw_models.compiler import ScaleRule, compile_graph
from dalif_deploy.hw_models.compiler.scale_problem import GroupName
from dalif_deploy.hw_models.neurons.recurrence import DT_DEFAULT
from dalif_deploy.hw_models.samples.encode import encode_input
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator.exact_float import exact_float32
from dalif_deploy.networks.layers import INPUT
from dalif_deploy.networks.spiking_network import SpikingLayer, SpikingNetwork


@dataclass(frozen=True)
class ChipTarget:
    """How the network will be compiled.

    Attributes:
        chip: name of a description in `hw_models/chips`.
        input_mode: "graded" or "bias", see `ChipInput`.
        input_step: value of one integer level of the data; None if unknown.
        input_highest: largest value of the data.
        weight_bits: sign included.
        scale_group: "layer" or "channel", see `ScaleRule`.
    """

    chip: str
    input_mode: str
    input_step: float | None = None
    input_highest: float = 1.0
    weight_bits: int = 8
    scale_group: GroupName = "layer"


class ChipForward(nn.Module):
    """Shares the parameters of `network`, and is called like it. Batch norm keeps its averages, in training too.

    Args:
        network: as built by `build_network`, and trained so far that its batch norms have seen the data.

    Attributes:
        active: False lets the float network through as it is, for the epochs before.

    Raises:
        UserError: in a forward pass, where the network cannot be compiled.
    """

    def __init__(self, network: SpikingNetwork, target: ChipTarget):
        super().__init__()
        self.network, self.target, self.active = network, target, True
        self._seen: tuple[int, ...] | None = None
        self._made: dict[int, _Compiled] = {}

    def train(self, mode: bool = True) -> ChipForward:
        """Batch norm's averages are part of the integers: they stay as they are."""
        super().train(mode)
        self.network.train(mode and not self.active)
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, classes], averaged over time; x as for `SpikingNetwork`."""
        return self.logits_per_step(x).mean(0) if self.active else self.network(x)

    def logits_per_step(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [T, N, classes] of each step's spikes."""
        return self._run(x)[0] if self.active else self.network.logits_per_step(x)

    def forward_recorded(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """As forward, and the spikes [T, N, ...] of each layer."""
        logits, fired = self._run(x)
        return logits.mean(0), {name: spikes for name, spikes in fired.items() if name != INPUT}

    def shared_decays(self) -> list[SharedDecays]:
        """The groups of betas that a core of the chip has profiles for; to be brought together after each step.

        A layer that has more is changed. Empty while not `active`, and for a chip that knows no such limit.
        """
        limit = load_chip(self.target.chip).limits.decay_profiles_per_core
        return shared_decays(self.network, limit.value) if self.active and limit is not None else []

    def compiled(self, steps: int | None = None) -> ChipNetwork:
        """The chip's network of the present weights."""
        return self._compiled(steps or self.network.steps).network

    def _compiled(self, steps: int) -> _Compiled:
        tensors = (*self.network.parameters(), *self.network.buffers())
        versions = tuple(number for t in tensors for number in (t.data_ptr(), t._version))
        if versions != self._seen:
            self._made, self._seen = {}, versions
        if steps not in self._made:
            self._made[steps] = _Compiled(self.network, self.target, steps, self.network.readout.weight.device)
        return self._made[steps]

    def _run(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        still = x.ndim == 4
        steps = self.network.steps if still else len(x)
        made = self._compiled(steps)
        data = x.detach().cpu().numpy()
        encoded = encode_input(made.network, data if still else np.moveaxis(data, 0, 1))
        sent = {
            name: torch.from_numpy(m).to(made.device).transpose(0, 1).to(torch.float32)
            for name, m in encoded.messages.items()
        }
        fired, flat = {}, {INPUT: x if still else x.flatten(0, 1)}
        for name, layer in self.network.spiking_layers.items():
            current = _float_current(layer, flat, steps, still).float()  # under autocast it has fewer bits
            fired[name] = sent[name] = made.fire(name, layer, current, sent, encoded)
            flat[name] = fired[name].flatten(0, 1)
        reads = self.network.reads
        pooled = reads.pooled([flat[source] for source in reads.branch.sources])
        logits = self.network.readout(pooled.flatten(1)).unflatten(0, (steps, -1))
        return logits + (made.readout(sent) - logits).detach(), fired


class _Compiled:
    """A compiled network's parts, for runs layer by layer."""

    def __init__(self, network: SpikingNetwork, target: ChipTarget, steps: int, device: torch.device):
        self.device = device
        graph = network_to_nir(network, input_step=target.input_step)
        self.network = compile_graph(
            graph,
            chip=target.chip,
            steps=steps,
            dt=DT_DEFAULT,
            input_mode=target.input_mode,
            input_step=target.input_step,
            input_range=(0.0, target.input_highest),
            weight_bits=target.weight_bits,
            scale_rule=ScaleRule(group=target.scale_group),
        ).network
        self.bounds: dict[str, Bounds] = {}
        self.synapses: dict[str, SynapticInput] = {}
        for name, population in self.network.populations.items():
            incoming = self.network.incoming(name)
            shapes = [self.network.source_shape(p.source) for p in incoming]
            self.bounds[name] = population_bounds(self.network, population, steps)
            self.synapses[name] = SynapticInput(population, incoming, shapes, self.bounds[name], device)

    def fire(
        self,
        name: str,
        layer: SpikingLayer,
        current: torch.Tensor,
        sent: dict[str, torch.Tensor],
        encoded: EncodedInput,
    ) -> torch.Tensor:
        """Spikes [T, N, ...] of a layer, given the messages that its sources sent."""
        population, samples = self.network.populations[name], current.shape[1]

        def at_rest() -> PopulationState:
            mant_exp = encoded.bias.get(name)
            bias = None if mant_exp is None else mant_exp[0].astype(np.int32) << mant_exp[1].astype(np.int32)
            return PopulationState(population, self.bounds[name], samples, self.device, bias)

        if layer.recurrent is not None:
            return self._fire_with_loop(layer, layer.recurrent, current, sent, at_rest())
        with torch.no_grad(), exact_float32(self.device):
            drive = at_rest().drive(self._current(name, sent))
        if drive is None:  # nothing drives the layer
            drive = torch.zeros_like(current[0])
        elif drive.ndim == current.ndim and len(drive) == 1:
            drive = drive[0]
        spikes: torch.Tensor = ChipSequence.apply(
            current, layer.neuron.beta, drive, at_rest, self._unit(layer, population), layer.neuron.rule
        )
        return spikes

    def _fire_with_loop(
        self,
        layer: SpikingLayer,
        recurrent: nn.Module,
        current: torch.Tensor,
        sent: dict[str, torch.Tensor],
        state: PopulationState,
    ) -> torch.Tensor:
        """As `fire`, of a layer that gets its own spikes of the step before."""
        neuron, population = layer.neuron, state.population
        name, gain, scale = population.name, layer.neuron.gain, self._unit(layer, population)
        spikes, held = torch.zeros_like(current[0]), torch.zeros_like(current[0])
        fired = []
        for t, now in enumerate(current):
            with torch.no_grad(), exact_float32(self.device):
                arrived = {source: m if len(m) == 1 else m[t : t + 1] for source, m in sent.items()}
                drive = state.drive(self._current(name, {**arrived, name: spikes.detach()[None]}))
            if drive is not None and drive.ndim == current.ndim:
                drive = drive[0]
            if t:
                now = now + gain * recurrent(spikes)
            spikes, held = ChipStep.apply(now, held, neuron.beta, drive, state, scale, neuron.rule)
            fired.append(spikes)
        return torch.stack(fired)

    def _unit(self, layer: SpikingLayer, population: Population) -> torch.Tensor:
        """The chip's units a unit of the layer's membrane."""
        scale = self._scale(population)
        if layer.neuron.gain_stays:  # there the compiled membrane counts in gains
            scale = scale / layer.neuron.gain.detach()
        return laid_out(scale, population.shape)

    def readout(self, sent: dict[str, torch.Tensor]) -> torch.Tensor:
        """What each step adds to the readout's membrane, [T, N, classes] in units of the float network."""
        (output,) = self.network.outputs.values()
        population = self.network.populations[output.population]
        with torch.no_grad(), exact_float32(self.device):
            samples = next(iter(sent.values())).shape[1]
            state = PopulationState(population, self.bounds[population.name], samples, self.device)
            drive = state.drive(self._current(population.name, sent))
            assert drive is not None  # a readout has synapses
            return drive * (DECAY_UNITY / self._scale(population))

    def _scale(self, population: Population) -> torch.Tensor:
        return torch.as_tensor(population.scale, dtype=torch.float32, device=self.device)

    def _current(self, name: str, sent: dict[str, torch.Tensor]) -> torch.Tensor | None:
        synapses = self.synapses[name]
        static: dict[int, torch.Tensor] = {}
        moving: dict[int, torch.Tensor] = {}
        for index, projection in enumerate(self.network.incoming(name)):
            messages = sent[projection.source]
            (static if len(messages) == 1 else moving)[index] = messages
        total = synapses.sum(static)
        if moving:
            total = synapses.sum(moving, None if total is None else total[0])
        return synapses.current(total)


def _float_current(layer: SpikingLayer, flat: dict[str, torch.Tensor], steps: int, still: bool) -> torch.Tensor:
    """What the float layer's membranes would get, its own spikes left out, [T, N, ...]."""
    current = layer.neuron.gain * layer.current(flat)
    if still and layer.sources == {INPUT}:
        return current.expand(steps, *current.shape)
    sequence: torch.Tensor = current.unflatten(0, (steps, -1))
    return sequence
