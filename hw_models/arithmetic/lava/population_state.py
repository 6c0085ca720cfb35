"""State of one population for a batch of samples, and its exact step (equations: `hw_models.chip_network`).

Membranes are float32 and count in units of 4096: the integer v is held as v / 4096; that is a power of two, so the
digits are those of v and exact below 2^24. A decay needs 36 bits. It is split at the unit, v = hi + lo with hi whole:

    trunc(v * keep) = hi * keep + trunc(lo * keep)        keep = 4096 - decay; the result counts in units of 1

where both products stay below 2^24.
"""

from __future__ import annotations

import numpy as np
import torch

from ...chip_network.form import DECAY_UNITY, NO_CURRENT_FILTER, STATE_LIMIT, SYNAPSE_SHIFT, Population
from ..memory_layout import laid_out, neuron_zeros
from .exactness import FLOAT32_EXACT, Bounds
from .synaptic_input import wrap_int32

UNIT = 1.0 / DECAY_UNITY
V_LIMIT = STATE_LIMIT - 1
# A drive beyond this clips the membrane, whatever |v| < 2^23 it meets; up to this their sum is exact in float32.
DRIVE_LIMIT = FLOAT32_EXACT - 1

Register = int | float | torch.Tensor


class PopulationState:
    """Current and membrane of [N, *shape] neurons.

    Where `bounds` prove that u never wraps, it is float32 as the membrane is; elsewhere it is int64 and wraps as Lava's
    registers do. What the membrane adds in a step, current and bias, is called its drive.

    Args:
        bias: [N, *shape], the samples' own; None for the population's.
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
        self.filters_current = bool((population.du != NO_CURRENT_FILTER).any())
        self._decays_membrane = bool((population.dv != 0).any())
        # a readout whose membrane comes above the largest threshold fires as any neuron
        self._can_fire = population.fires or bounds.membrane > int(population.vth.min()) << SYNAPSE_SHIFT
        self._device = device
        u_dtype = torch.float32 if bounds.proven else torch.int64
        self._u_keep = self._register(DECAY_UNITY - (population.du.astype(np.int64) + 1), u_dtype)
        self._v_keep = self._register(DECAY_UNITY - population.dv.astype(np.int64), torch.float32)
        self._threshold = self._register((population.vth.astype(np.int64) << SYNAPSE_SHIFT) * UNIT, torch.float32)
        bias = population.bias if bias is None else bias
        self._bias = self._drive_bias(bias) if bias.any() else None
        self._membrane = neuron_zeros((samples,), population.shape, device)
        self._low, self._spare = torch.empty_like(self._membrane), torch.empty_like(self._membrane)
        self._at_rest = not population.v_start.any()
        if not self._at_rest:
            self._membrane += self._register(population.v_start * UNIT, torch.float32)
        self._whole_threshold = self._register(population.vth.astype(np.int64) << SYNAPSE_SHIFT, torch.int64)
        lowest = population.v_min
        self._lowest = None if lowest is None else self._register(lowest * UNIT, torch.float32)
        # steps that each membrane is still refractory
        self._waits = torch.zeros_like(self._membrane) if population.refractory else None
        self._u: torch.Tensor | None = None

    @property
    def v(self) -> torch.Tensor:
        """Membrane, int32 [N, *shape]."""
        return (self._membrane * DECAY_UNITY).to(torch.int32)

    def drive(self, current: torch.Tensor | None) -> torch.Tensor | None:
        """Drive of any number of steps, for a population that does not filter its current.

        Args:
            current: [..., N, *shape] from `SynapticInput`, overwritten; None without synapses.

        Returns:
            float32, as `current`; [N, *shape] for a bias alone; None for no drive at all.
        """
        if not self.bounds.proven:
            current = torch.zeros_like(self._membrane, dtype=torch.int64) if current is None else current
            return self._limited(_wrap_once(current))
        if current is None:
            return None if self._bias is None else self._bias.expand_as(self._membrane)
        return current if self._bias is None else current.add_(self._bias)

    def filtered_drive(self, current: torch.Tensor | None) -> torch.Tensor:
        """Drive of one step of a population that filters its current, and that filter's step.

        Args:
            current: [N, *shape] from `SynapticInput`; None without synapses.

        Returns:
            float32 [N, *shape], not to be overwritten.
        """
        if self._u is None:
            dtype = torch.float32 if self.bounds.proven else torch.int64
            self._u = torch.zeros_like(self._membrane, dtype=dtype)
        if not self.bounds.proven:
            decayed = torch.sign(self._u) * ((self._u.abs() * self._u_keep) >> 12)
            # Lava holds the sum in int32 before it looks for overflow
            self._u = _wrap_once(decayed if current is None else wrap_int32(decayed + current))
            return self._limited(self._u)
        self._decay_and_add(self._u, self._u_keep, current, self._u)
        return self._u if self._bias is None else self._u + self._bias

    def step(self, drive: torch.Tensor | None, spikes: torch.Tensor, *, overwrite: bool) -> None:
        """One step of the membrane, reset included.

        Args:
            drive: float32 [N, *shape]; None for none.
            spikes: float32 [N, *shape], becomes 1 where the population fires; of one that never fires it is left.
            overwrite: True if the memory of `drive` may become the membrane's.
        """
        self.integrate(drive, overwrite=overwrite)
        self.fire(spikes)

    def membrane(self) -> torch.Tensor:
        """The membrane in units of 4096, float32 [N, *shape]; the state's own memory."""
        return self._membrane

    def fire(self, spikes: torch.Tensor) -> None:
        """Spikes and reset of one step; `spikes` as for `step`."""
        if not self._can_fire:
            return
        if self.population.max_spikes > 1:
            self._fire_several(spikes)
            return
        torch.gt(self._membrane, self._threshold, out=spikes)
        # products with 0 and 1: far cheaper than a mask
        if self.population.reset == "zero":
            self._membrane.addcmul_(self._membrane, spikes, value=-1)
        elif isinstance(self._threshold, torch.Tensor):
            self._membrane.addcmul_(spikes, self._threshold, value=-1)
        else:
            self._membrane.sub_(spikes, alpha=self._threshold)
        self._wait(spikes)

    def _fire_several(self, spikes: torch.Tensor) -> None:
        """How often the threshold goes into the membrane, in whole numbers; what it takes off is exact in float32."""
        units = (self._membrane * DECAY_UNITY).to(torch.int64) - 1
        times = torch.div(units, self._whole_threshold, rounding_mode="floor").clamp_(0, self.population.max_spikes)
        spikes.copy_(times)
        if self.population.reset == "zero":
            self._membrane.masked_fill_(times > 0, 0.0)
        else:
            self._membrane.sub_((times * self._whole_threshold).to(torch.float32).mul_(UNIT))
        self._wait((times > 0).to(torch.float32))

    def _wait(self, fired: torch.Tensor) -> None:
        if self._waits is not None:
            self._waits.sub_(1).clamp_(min=0).add_(fired, alpha=self.population.refractory)

    def integrate(self, drive: torch.Tensor | None, *, overwrite: bool) -> None:
        """Decay, drive and clip of one step; arguments as for `step`."""
        target = drive if overwrite and drive is not None else self._membrane
        if self._at_rest:
            if drive is not None and target is not drive:
                target.copy_(drive)
        elif self._decays_membrane:
            self._decay_and_add(self._membrane, self._v_keep, drive, target)
        elif drive is not None:
            torch.add(self._membrane, drive, out=target)
        self._membrane, self._at_rest = target, False
        if self.bounds.clips:
            self._membrane.clamp_(-V_LIMIT * UNIT, V_LIMIT * UNIT)
        if isinstance(self._lowest, torch.Tensor):
            torch.maximum(self._membrane, self._lowest, out=self._membrane)
        elif self._lowest is not None:
            self._membrane.clamp_(min=self._lowest)
        if self._waits is not None:
            self._membrane.masked_fill_(self._waits > 0, 0.0)

    def _decay_and_add(
        self, state: torch.Tensor, keep: Register, added: torch.Tensor | None, target: torch.Tensor
    ) -> None:
        """target = decayed state + added; `state` is lost. Any may share memory."""
        low = torch.frac(state, out=self._low)
        high = state.sub_(low)
        low.mul_(keep)
        # frac is vectorised, trunc is not
        low.sub_(torch.frac(low, out=self._spare))
        if isinstance(keep, torch.Tensor):
            low.addcmul_(high, keep)
        else:
            low.add_(high, alpha=keep)
        if added is None:
            torch.mul(low, UNIT, out=target)
        else:
            torch.add(added, low, alpha=UNIT, out=target)

    def _limited(self, u: torch.Tensor) -> torch.Tensor:
        drive = u if self._bias is None else u + self._bias
        return drive.clamp(-DRIVE_LIMIT, DRIVE_LIMIT).to(torch.float32).mul_(UNIT)

    def _drive_bias(self, bias: np.ndarray) -> torch.Tensor:
        integers = laid_out(torch.as_tensor(bias, device=self._device), self.population.shape)
        return integers.to(torch.float32).mul_(UNIT) if self.bounds.proven else integers.to(torch.int64)

    def _register(self, values: np.ndarray, dtype: torch.dtype) -> Register:
        """A plain number where all neurons share it."""
        if (values == values.flat[0]).all():
            shared: int | float = values.flat[0].item()
            return shared
        return laid_out(torch.as_tensor(values, dtype=dtype, device=self._device), self.population.shape)


def _wrap_once(u: torch.Tensor) -> torch.Tensor:
    """Lava's own order of the two tests: the second looks at the first's result but starts from the sum."""
    wrapped = torch.where(u > STATE_LIMIT, u - 2 * STATE_LIMIT, u)
    return torch.where(wrapped <= -STATE_LIMIT, u + 2 * STATE_LIMIT, wrapped)
