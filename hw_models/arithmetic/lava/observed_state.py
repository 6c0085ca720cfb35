"""A population's state that counts what its arithmetic does; the bits are those of `population_state`.

What is counted is worked out anew in int64, beside the step itself.
"""

from __future__ import annotations

import numpy as np
import torch

from ...chip_network.form import DECAY_UNITY, STATE_LIMIT, SYNAPSE_SHIFT, Population
from ..memory_layout import laid_out
from ..observation import PopulationCounts
from .exactness import Bounds
from .population_state import V_LIMIT, PopulationState
from .synaptic_input import wrap_int32


class ObservedState(PopulationState):
    """As `PopulationState`; adds to `counts` at each step.

    Args:
        counts: of this population.
    """

    def __init__(
        self,
        population: Population,
        bounds: Bounds,
        samples: int,
        device: torch.device,
        bias: np.ndarray | None,
        counts: PopulationCounts,
    ):
        super().__init__(population, bounds, samples, device, bias)
        self._counts = counts
        own = population.bias if bias is None else bias
        self._biased = int(np.count_nonzero(np.broadcast_to(own, (samples, *population.shape))))
        self._whole_u_keep = self._integers(DECAY_UNITY - (population.du.astype(np.int64) + 1))
        self._whole_v_keep = self._integers(DECAY_UNITY - population.dv.astype(np.int64))
        self._each_threshold = self._integers(population.vth.astype(np.int64) << SYNAPSE_SHIFT)

        lowest = population.v_min
        self._whole_lowest = None if lowest is None else self._integers(lowest.astype(np.int64))

    def drive(self, current: torch.Tensor | None) -> torch.Tensor | None:
        """See `PopulationState.drive`."""
        if not self.bounds.proven and current is not None:
            self._counts.wraps += _leaves_register(current)
        return super().drive(current)

    def filtered_drive(self, current: torch.Tensor | None) -> torch.Tensor:
        """See `PopulationState.filtered_drive`."""
        if self._u is not None:
            before = self._whole(self._u) if self.bounds.proven else self._u
            decayed, truncated = self._decayed(before, self._whole_u_keep)
            self._counts.current_decays += _count((before != 0) & (self._whole_u_keep > 0))
            self._counts.current_truncations += _count(truncated)
            self._counts.negative_truncations += _count(truncated & (before < 0))
            if not self.bounds.proven:
                total = decayed if current is None else decayed + current
                wrapped = wrap_int32(total)
                self._counts.wraps += _count(wrapped != total) + _leaves_register(wrapped)
        elif not self.bounds.proven and current is not None:
            self._counts.wraps += _leaves_register(current)
        return super().filtered_drive(current)

    def integrate(self, drive: torch.Tensor | None, *, overwrite: bool) -> None:
        """See `PopulationState.integrate`."""
        counts = self._counts
        before = self._whole(self._membrane)
        decayed, truncated = self._decayed(before, self._whole_v_keep)
        if self._decays_membrane:
            counts.membrane_decays += _count((before != 0) & (self._whole_v_keep < DECAY_UNITY))
            counts.membrane_truncations += _count(truncated)
            counts.negative_truncations += _count(truncated & (before < 0))
        total = decayed if drive is None else decayed + self._whole(drive)
        counts.high_clips += _count(total > V_LIMIT)
        counts.low_clips += _count(total < -V_LIMIT)
        if self._whole_lowest is not None:
            counts.bounded += _count(total < self._whole_lowest)
        if self._waits is not None:
            counts.waited += _count(self._waits > 0)
        counts.biased += self._biased
        counts.updates += total.numel()
        super().integrate(drive, overwrite=overwrite)

    def fire(self, spikes: torch.Tensor) -> None:
        """See `PopulationState.fire`."""
        counts = self._counts
        above = self._whole(self._membrane) - self._each_threshold
        if self.population.fires:
            counts.met_threshold += _count(above == 0)
            counts.just_above += _count(above == 1)
            counts.just_below += _count(above == -1)
        super().fire(spikes)
        if self._can_fire:
            fired = spikes > 0
            counts.spikes += _count(fired)
            counts.several += _count(spikes > 1)
            counts.fired |= fired.any(dim=0).cpu().numpy()
            counts.kept += _count(fired & (self._membrane != 0))
        counts.nonzero += _count(self._membrane != 0)
        counts.negative += _count(self._membrane < 0)

    def _integers(self, register: np.ndarray) -> torch.Tensor:
        return laid_out(torch.as_tensor(register, dtype=torch.int64, device=self._device), self.population.shape)

    @staticmethod
    def _whole(values: torch.Tensor) -> torch.Tensor:
        """Integers of float32 in units of 4096."""
        return (values * DECAY_UNITY).to(torch.int64)

    @staticmethod
    def _decayed(values: torch.Tensor, keep: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(trunc(values * keep / 4096), where that cut a fraction off)."""
        product = values.abs() * keep
        return torch.sign(values) * (product >> 12), (product & (DECAY_UNITY - 1)) != 0


def _leaves_register(u: torch.Tensor) -> int:
    return _count((u > STATE_LIMIT) | (u <= -STATE_LIMIT))


def _count(where: torch.Tensor) -> int:
    return int(where.sum())
