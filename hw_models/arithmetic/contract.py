"""What a chip's neurons compute where a table of widths can't say it: rounding of decays, overflow, threshold, reset.

One arithmetic is one `Arithmetic`; a chip's file names it, and `hw_models.arithmetic.ARITHMETICS` finds it. The
compiler takes registers of decays and bounds from it, the simulator synapses and states. The form of the integers
(`hw_models.chip_network.form`) is the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from ..chip_network.form import ChipNetwork, Population, Projection, Reset

if TYPE_CHECKING:
    import torch

    from .observation import PopulationCounts


@dataclass(frozen=True)
class Decays:
    """Registers of a population's decays.

    Attributes:
        du, dv: int64, of current and membrane, as `Population` holds them.
        current_gain: largest current over the synaptic input that keeps it there; 1 without a filter.
    """

    du: np.ndarray
    dv: np.ndarray
    current_gain: float


class Synapses(Protocol):
    """Projections into one population; sums in whatever units its `NeuronState` takes."""

    def sum(
        self,
        messages: dict[int, torch.Tensor],
        static: torch.Tensor | None = None,
        counts: PopulationCounts | None = None,
    ) -> torch.Tensor | None:
        """Sum over some of the projections.

        Args:
            messages: index of a projection -> [B, N, *source shape] (B steps), float32.
            static: [N, *shape], the sum over other projections, the same at each step.
            counts: of the population; None counts nothing.

        Returns:
            [B, N, *shape]; `static` itself without messages.
        """

    def current(self, total: torch.Tensor | None, counts: PopulationCounts | None = None) -> torch.Tensor | None:
        """What the synapses bring in a step, of the sum over all projections; its shape."""


class NeuronState(Protocol):
    """State of one population for a batch of samples, and its step.

    Attributes:
        filters_current: True if the current is a state of its own, which `filtered_drive` steps.
    """

    filters_current: bool

    @property
    def v(self) -> torch.Tensor:
        """Membrane after the reset, int32 [N, *shape]."""

    def drive(self, current: torch.Tensor | None) -> torch.Tensor | None:
        """What the membrane adds in each step, current and bias: of any number of steps, without a filter.

        Args:
            current: [..., N, *shape] from `Synapses.current`, overwritten; None without synapses.
        """

    def filtered_drive(self, current: torch.Tensor | None) -> torch.Tensor:
        """The same of one step [N, *shape], and the filter's step."""

    def step(self, drive: torch.Tensor | None, spikes: torch.Tensor, *, overwrite: bool) -> None:
        """One step of the membrane, reset included.

        Args:
            drive: [N, *shape]; None for none.
            spikes: float32 [N, *shape], zeros; becomes what each neuron sends, a whole number below 256.
            overwrite: True if the memory of `drive` may become the membrane's.
        """


class Arithmetic(ABC):
    """How a chip's neurons compute.

    Attributes:
        name: what a chip's file calls it.
        resets: those that it can do; a chip has some of them.
    """

    name: ClassVar[str]
    resets: ClassVar[tuple[Reset, ...]]

    @abstractmethod
    def decays(self, beta: np.ndarray, syn_beta: np.ndarray | None) -> Decays:
        """Registers nearest to the decays of membrane and current, each in [0, 1]; `syn_beta` None: no filter."""

    @abstractmethod
    def bounds(self, network: ChipNetwork, population: Population, steps: int) -> Any:
        """What `synapses` and `state` must know of the largest sums, whatever the data.

        Raises:
            UserError: sums beyond what can be simulated exactly.
        """

    @abstractmethod
    def headroom(
        self, network: ChipNetwork, population: Population, steps: int, synaptic_bits: int | None
    ) -> dict[str, Any]:
        """The same as figures of the export: current_bits, synaptic_bound, and what may wrap or clip.

        Args:
            synaptic_bits: of the chip, see `chips.description.Formats`.
        """

    @abstractmethod
    def synapses(
        self,
        population: Population,
        projections: list[Projection],
        source_shapes: list[tuple[int, ...]],
        bounds: Any,
        device: torch.device,
    ) -> Synapses:
        """The projections into a population, prepared once for all batches."""

    @abstractmethod
    def state(
        self,
        population: Population,
        bounds: Any,
        samples: int,
        device: torch.device,
        bias: np.ndarray | None = None,
        counts: PopulationCounts | None = None,
    ) -> NeuronState:
        """A population at rest.

        Args:
            bias: int32 [N, *shape], the samples' own, or None for the population's.
            counts: what its steps do is added to it; None counts nothing.
        """
