"""A layer of neurons as it was seen at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nir
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

if TYPE_CHECKING:
    from .values import Value


class UnknownNeuronError(UserError):
    """A neuron of a framework whose table does not have it."""


@dataclass
class NeuronNodes:
    """A layer of neurons in NIR.

    Attributes:
        neuron: the node with the membrane.
        around: further nodes by the end of their names; "" is the neuron.
        edges: between these.
        entry: where the input arrives.
    """

    neuron: nir.NIRNode
    around: dict[str, nir.NIRNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    entry: str = ""


@dataclass
class NeuronCall:
    """What one call of a neuron module took and gave.

    Attributes:
        output: what the module returned.
        x: the input tensor.
        spikes: what went on to the next layer, a tensor of `output`.
        membranes: after the reset of that step as NIR counts it, None where the module hides it.
        states_in: states that were passed by hand.
        states_out: states that the caller can see.
        hidden: True if the module keeps its state.
        shows_before_reset: True if the membrane that the caller sees is the one that met the threshold.
        notes: what the module could do and the chip could not, which did not happen in this call.
    """

    output: Any
    x: torch.Tensor
    spikes: torch.Tensor
    membranes: torch.Tensor | None = None
    states_in: dict[str, torch.Tensor] = field(default_factory=dict)
    states_out: dict[str, torch.Tensor] = field(default_factory=dict)
    hidden: bool = True
    shows_before_reset: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Neuron:
    """How a framework's neuron is called and what it is.

    Attributes:
        call: runs the module on its arguments.
        nodes: NIR of the layer, given the shape of one sample.
        time_axis: axis of the input that is time; None for one step a call, "squeezed" for [N * T, ...], "made" where
            the module shows one input for `steps[1]` steps and returns [T, N, ...].
        steps: of "squeezed" and "made": (batch size, steps), None where it is unknown.
        fires: False for neurons without threshold.
        dt: time step in seconds where the framework has one.
    """

    call: Callable[[tuple[Any, ...], dict[str, Any]], NeuronCall]
    nodes: Callable[[tuple[int, ...]], NeuronNodes]
    time_axis: int | str | None = None
    steps: tuple[int | None, int | None] = (None, None)
    fires: bool = True
    dt: float | None = None


@dataclass(eq=False)
class Population:
    """One layer of neurons over the time of a run; lists have an entry a step.

    Attributes:
        spikes: [N, *shape] a step; of neurons that don't fire, what they give out.
        membranes: [N, *shape] a step, None where the module hides it.
        reads_membrane: True if it is lowered to neurons that never fire.
        shows_before_reset, notes: see `NeuronCall`.
        several: True if a neuron fired more than once in a step.
        written: True of comparisons in a forward.
        late: first steps in which no data had reached it.
        synapse: decay of a synaptic current that is written out before it, None for none.
        offset: constant input beside that current.
        decay: of a neuron that is written out, what a step leaves of its membrane.
        start: the membrane before the first step, None where it resets to.
        folded: True if `inputs` were brought to one form already.
        recorded: False of a readout that is known by the network's result alone.
    """

    name: str
    module: nn.Module
    neuron: Neuron
    shape: tuple[int, ...] = ()
    inputs: list[Value] = field(default_factory=list)
    spikes: list[torch.Tensor] = field(default_factory=list)
    membranes: list[torch.Tensor | None] = field(default_factory=list)
    reads_membrane: bool = False
    shows_before_reset: bool = False
    notes: tuple[str, ...] = ()
    several: bool = False
    written: bool = False
    late: int = 0
    synapse: Any = None
    offset: Any = 0.0
    decay: Any = 0.0
    start: Any = None
    folded: bool = False
    recorded: bool = True

    @property
    def fires(self) -> bool:
        """False for neurons without threshold, and for those whose membrane alone is read."""
        return self.neuron.fires and not self.reads_membrane
