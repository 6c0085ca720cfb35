"""State of one population for a batch of samples, and its exact step (equations: `hw_models.chip_network`)."""

from __future__ import annotations

import numpy as np
import torch

from hw_models.chip_network import DECAY_UNITY, NO_CURRENT_FILTER, STATE_LIMIT, SYNAPSE_SHIFT, Population
from hw_models.simulator.exactness import Bounds

_INT32 = 1 << 32


class PopulationState:
    """Current and membrane of [N, *shape] neurons.

    Where `bounds` prove that u never wraps, the state is float64 holding integers: a product of a 24-bit state and
    a 12-bit decay needs 36 bits, which float64 has, so multiplying, truncating and adding are exact. Elsewhere the
    state is int64 and wraps as Lava's registers do.
    """

    def __init__(
        self,
        population: Population,
        bounds: Bounds,
        samples: int,
        device: torch.device,
        bias: np.ndarray | None = None,
    ):
        self.population, self.bounds = population, bounds
        self.dtype = torch.int64 if bounds.wraps else torch.float64
        self.filters_current = bool((population.du != NO_CURRENT_FILTER).any())
        self.decays_membrane = bool((population.dv != 0).any())
        self._u_keep = self._keep(population.du.astype(np.int64) + 1, device)
        self._v_keep = self._keep(population.dv.astype(np.int64), device)
        self._threshold = self._tensor(population.vth.astype(np.int64) << SYNAPSE_SHIFT, device)
        bias = population.bias if bias is None else bias
        self._bias = self._tensor(bias, device) if bias.any() else None
        shape = (samples, *population.shape)
        self.v = torch.zeros(shape, dtype=self.dtype, device=device)
        self.u = torch.zeros(shape, dtype=self.dtype, device=device) if self.filters_current else None

    def _tensor(self, array: np.ndarray, device: torch.device) -> torch.Tensor:
        return torch.as_tensor(array, dtype=self.dtype, device=device)

    def _keep(self, decay: np.ndarray, device: torch.device) -> torch.Tensor:
        # float64: the dyadic fraction (4096 - decay) / 4096, exact; int64: its numerator
        keep = torch.as_tensor(DECAY_UNITY - decay, dtype=self.dtype, device=device)
        return keep / DECAY_UNITY if self.dtype == torch.float64 else keep

    def step(self, synaptic: torch.Tensor | None) -> torch.Tensor:
        """One step.

        Args:
            synaptic: [N, *shape] summed input, already shifted by 6 bits; None where the population has no synapses.

        Returns:
            bool [N, *shape], the spikes. `v` is then the membrane after the reset.
        """
        if self.dtype == torch.float64:
            self._integrate_exact_float(synaptic)
        else:
            self._integrate_wrapping(synaptic)
        if not self.population.fires and not self.bounds.clips:
            return torch.zeros((), dtype=torch.bool, device=self.v.device).expand(self.v.shape)
        spikes = self.v > self._threshold
        if self.population.reset == "subtract":
            self.v -= spikes * self._threshold
        else:
            self.v.masked_fill_(spikes, 0)
        return spikes

    def _integrate_exact_float(self, synaptic: torch.Tensor | None) -> None:
        if self.filters_current:
            self.u.mul_(self._u_keep).trunc_()
            if synaptic is not None:
                self.u.add_(synaptic)
            synaptic = self.u
        if self.decays_membrane:
            self.v.mul_(self._v_keep).trunc_()
        if synaptic is not None:
            self.v.add_(synaptic)
        if self._bias is not None:
            self.v.add_(self._bias)
        if self.bounds.clips:
            self.v.clamp_(-STATE_LIMIT + 1, STATE_LIMIT - 1)

    def _integrate_wrapping(self, synaptic: torch.Tensor | None) -> None:
        u = torch.zeros_like(self.v)
        if self.filters_current:
            u = _decayed(self.u, self._u_keep)
        if synaptic is not None:
            u = _wrap_int32(u + synaptic)  # Lava holds the sum in int32 before it looks for overflow
        # Lava's own order of the two tests: the second looks at the first's result but starts from the sum
        wrapped = torch.where(u > STATE_LIMIT, u - 2 * STATE_LIMIT, u)
        u = torch.where(wrapped <= -STATE_LIMIT, u + 2 * STATE_LIMIT, wrapped)
        if self.filters_current:
            self.u = u
        v = _decayed(self.v, self._v_keep) + u
        if self._bias is not None:
            v = v + self._bias
        self.v = v.clamp_(-STATE_LIMIT + 1, STATE_LIMIT - 1)


def _decayed(state: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    return torch.sign(state) * ((state.abs() * keep) >> 12)


def _wrap_int32(x: torch.Tensor) -> torch.Tensor:
    return (x + _INT32 // 2) % _INT32 - _INT32 // 2
