"""The equations of `hw_models.chip_network.form`, exact and fast; how, `exactness` and `population_state` say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...chip_network.form import (
    DECAY_UNITY,
    NO_CURRENT_FILTER,
    SYNAPSE_SHIFT,
    ChipNetwork,
    Population,
    Projection,
)
from ..contract import Arithmetic, Decays
from .exactness import Bounds, population_bounds

if TYPE_CHECKING:
    import torch

    from ..observation import PopulationCounts
    from .population_state import PopulationState
    from .synaptic_input import SynapticInput


class LavaArithmetic(Arithmetic):
    """See `Arithmetic`."""

    name = "lava"
    resets = ("zero", "subtract")

    def decays(self, beta: np.ndarray, syn_beta: np.ndarray | None) -> Decays:
        """See `Arithmetic.decays`."""
        dv = decay_register(beta)
        if syn_beta is None:
            return Decays(np.array(NO_CURRENT_FILTER), dv, 1.0)
        du = np.maximum(decay_register(syn_beta) - 1, 0)
        return Decays(du, dv, float(DECAY_UNITY / (du.min() + 1)))

    def bounds(self, network: ChipNetwork, population: Population, steps: int) -> Bounds:
        """See `population_bounds`."""
        return population_bounds(network, population, steps)

    def headroom(
        self, network: ChipNetwork, population: Population, steps: int, synaptic_bits: int | None
    ) -> dict[str, Any]:
        """See `Arithmetic.headroom`."""
        bounds = population_bounds(network, population, steps)
        return {
            "current_bits": max(bounds.current, 1).bit_length() + 1,
            "synaptic_may_wrap": synaptic_bits is not None and bounds.synaptic << SYNAPSE_SHIFT >= 1 << synaptic_bits,
            "current_may_wrap": bounds.wraps,
            "membrane_may_clip": bounds.clips,
            "synaptic_bound": bounds.synaptic << SYNAPSE_SHIFT,
        }

    def synapses(
        self,
        population: Population,
        projections: list[Projection],
        source_shapes: list[tuple[int, ...]],
        bounds: Bounds,
        device: torch.device,
    ) -> SynapticInput:
        """See `SynapticInput`."""
        from .synaptic_input import SynapticInput

        return SynapticInput(population, projections, source_shapes, bounds, device)

    def state(
        self,
        population: Population,
        bounds: Bounds,
        samples: int,
        device: torch.device,
        bias: np.ndarray | None = None,
        counts: PopulationCounts | None = None,
    ) -> PopulationState:
        """See `PopulationState`; one that counts is slower."""
        from .observed_state import ObservedState
        from .population_state import PopulationState

        if counts is None:
            return PopulationState(population, bounds, samples, device, bias)
        return ObservedState(population, bounds, samples, device, bias, counts)


def decay_register(beta: np.ndarray) -> np.ndarray:
    """dv of a membrane decay: round(4096 * (1 - beta)), at most 4095."""
    return np.minimum(np.rint(DECAY_UNITY * (1.0 - np.asarray(beta))), DECAY_UNITY - 1).astype(np.int64)
