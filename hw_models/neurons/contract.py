"""What a neuron of a NIR graph must say of itself; one file a neuron, and the table in `hw_models.neurons`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol

import nir

from ..chips.description import ChipDescription
from ..errors import UserError
from .recurrence import NeuronDynamics

if TYPE_CHECKING:
    import torch


class FloatCell(Protocol):
    """A population of the float reference: its state, and its step.

    Attributes:
        v: membrane [N, *shape], after the reset; what is recorded as "membrane".
        current: what the last step's input added to it, [N, *shape].
    """

    v: torch.Tensor
    current: torch.Tensor

    def step(self, x: torch.Tensor) -> torch.Tensor:
        """What the neurons send, [N, *shape], given the sum of what arrives: spikes, or the membrane where none are."""


class Neuron(ABC):
    """One kind of neuron.

    Attributes:
        node: the NIR node that stands for it.
        equation: between steps, for the docs.
        parameters: the node's fields that have a value a neuron; each is of shape (), (1,) or that of the population.
        state: what it keeps from step to step.
        spikes: False where the membrane itself is sent on.
    """

    node: ClassVar[type[nir.NIRNode]]
    equation: ClassVar[str]
    parameters: ClassVar[tuple[str, ...]]
    state: ClassVar[tuple[str, ...]]
    spikes: ClassVar[bool]

    @abstractmethod
    def cell(self, name: str, node: nir.NIRNode, shape: tuple[int, ...], dt: float, like: torch.Tensor) -> FloatCell:
        """The population `name` at rest.

        Args:
            shape: of the population.
            dt: seconds of a step.
            like: [N, ...]; as many samples, and the same dtype.

        Raises:
            UserError: parameters that no such neuron can have.
        """

    @abstractmethod
    def why_not_on(self, chip: ChipDescription) -> str | None:
        """What the chip lacks for it, in words; None if the compiler can put it there, see `dynamics`."""

    def dynamics(self, name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
        """The coefficients, from which the compiler makes registers and ONNX its operators.

        Raises:
            UserError: as `cell`, or no such recurrence says what the neuron does.
        """
        raise UserError(
            f"{type(node).__name__} is more than one decay, one filter and a fixed threshold",
            where=name,
            remedy="use --target nir and --engine nir",
        )


class RecurrentNeuron(Neuron):
    """One that the recurrence of `recurrence.py` says whole. Every chip's neurons follow it.

    The compiler lowers beta to the membrane's decay register, syn_beta to the current's, threshold - reset_value to the
    threshold's, gains into the weights, offset into the bias; whether a chip has the reset, its own file says.
    """

    def cell(self, name: str, node: nir.NIRNode, shape: tuple[int, ...], dt: float, like: torch.Tensor) -> FloatCell:
        """See `Neuron.cell`."""
        from .recurrent_cell import RecurrentCell

        return RecurrentCell(self.dynamics(name, node, dt), shape, like)

    def why_not_on(self, chip: ChipDescription) -> str | None:
        """Nothing is lacking."""
        return None

    @abstractmethod
    def dynamics(self, name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
        """See `Neuron.dynamics`."""
