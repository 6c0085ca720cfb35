"""Bounds that prove, a population, in which arithmetic a simulation gives the chip's exact integers.

Sums of integer weights over integer messages are exact in float32 as long as no partial sum reaches 2^24, in any
order of summation; then a float32 convolution returns the integer itself. Where the sum can leave the 24-bit
current register, the register wraps, and the current is simulated in int64 with the wrap of Lava.

The membrane needs no bound on the data. Before each addition |v| < 2^23; what it adds, the drive, is either proven to
stay below 2^24 or, from int64, held within it. A sum below 2^24 is exact, one beyond may round but clips all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...chip_network.form import (
    DECAY_UNITY,
    NO_CURRENT_FILTER,
    STATE_LIMIT,
    SYNAPSE_SHIFT,
    ChipNetwork,
    Population,
    Projection,
)
from ...errors import UserError

FLOAT32_EXACT = 1 << 24
FLOAT64_EXACT = 1 << 53


@dataclass(frozen=True)
class Bounds:
    """Largest magnitudes a population can meet, whatever the data.

    Attributes:
        synaptic: sum of weight * 2^weight_exp * message over all synapses of one neuron in one step.
        current: |u|, before any wrap.
        membrane: |v| before the clip.
        bias: constant input of a step.
    """

    synaptic: int
    current: int
    membrane: int
    bias: int

    @property
    def wraps(self) -> bool:
        """True if u can leave its register."""
        return self.current >= STATE_LIMIT

    @property
    def proven(self) -> bool:
        """True if current and bias are exact in float32, and so is their sum."""
        return not self.wraps and self.bias < STATE_LIMIT

    @property
    def float32_sums(self) -> bool:
        """True if float32 holds any partial sum of weights over messages, before it is shifted."""
        return self.synaptic < FLOAT32_EXACT

    @property
    def clips(self) -> bool:
        """True if v can reach the clip."""
        return self.membrane > STATE_LIMIT - 1


def population_bounds(network: ChipNetwork, population: Population, steps: int) -> Bounds:
    """Bounds of one population over a sample of `steps` steps, from registers and weights alone."""
    synaptic = sum(projection_bound(network, p) for p in network.incoming(population.name))
    if synaptic >= FLOAT64_EXACT:
        raise UserError(
            "synaptic sums beyond 2^53 can't be simulated exactly",
            where=population.name,
            remedy="use smaller messages",
        )
    per_step = synaptic << SYNAPSE_SHIFT
    current = _accumulated(per_step, int(population.du.min()) + 1, steps)
    host_driven = any(h.target == population.name for h in network.host_projections.values())
    bias = (4096 << 7) if host_driven else int(np.abs(population.bias).max(initial=0))
    drive = min(current, STATE_LIMIT) + bias
    start = int(np.abs(population.v_start).max(initial=0))
    accumulated = start + _accumulated(drive, int(population.dv.min()), steps)
    threshold = (int(population.vth.max()) << SYNAPSE_SHIFT) if population.fires else 0
    return Bounds(synaptic, current, max(accumulated, threshold + drive), bias)


def projection_bound(network: ChipNetwork, projection: Projection) -> int:
    """Largest |sum of weight * 2^weight_exp * message| that one target neuron can receive in one step.

    Sums of any part of the synapses, in any order, stay within it too: terms of one sign alone reach furthest.
    """
    lowest, highest = network.message_range(projection.source)
    weights = projection.weight.astype(np.int64).reshape(len(projection.weight), -1)
    excitatory, inhibitory = np.clip(weights, 0, None).sum(axis=1), -np.clip(weights, None, 0).sum(axis=1)
    above, below = excitatory * highest - inhibitory * lowest, inhibitory * highest - excitatory * lowest
    return int(np.maximum(above, below).max(initial=0)) << projection.weight_exp


def _accumulated(per_step: int, decay: int, steps: int) -> int:
    """Bound of x = trunc(x * (1 - decay/4096)) + per_step after `steps` steps."""
    if decay >= NO_CURRENT_FILTER + 1:
        return per_step
    grown = per_step * steps
    return grown if decay == 0 else min(grown, per_step * DECAY_UNITY // decay + 1)
