"""The 24 bits of u and v, which SANA-FE's Loihi does not have: its numbers are doubles, without bounds.

A membrane beyond its register is put where the chip clips it, between that step and the next. That is exact: the clip
lies above the largest threshold, so it changes no spike of its own step. A current beyond its register wraps on the
chip and changes spikes at once; that can't be mended afterwards, so such a sample is refused.
"""

from __future__ import annotations

import numpy as np

from dalif_deploy.hw_models.arithmetic.lava.exactness import population_bounds
from dalif_deploy.hw_models.chip_network.form import STATE_LIMIT, SYNAPSE_SHIFT, ChipNetwork, Population
from dalif_deploy.hw_models.chip_network.synapse_list import synapse_list
from dalif_deploy.hw_models.errors import UserError

MEMBRANE_LIMIT = STATE_LIMIT - 1


def clipped(population: Population, membrane: np.ndarray, fired: np.ndarray) -> np.ndarray:
    """The membranes that the chip has after a step.

    Args:
        membrane: [neurons] int64, as SANA-FE leaves them, resets done.
        fired: [neurons] 0 or 1, spikes of the same step.
    """
    subtracted = np.zeros(population.size, np.int64)
    if population.reset == "subtract":
        threshold = np.broadcast_to(population.vth.astype(np.int64) << SYNAPSE_SHIFT, population.shape).ravel()
        subtracted = threshold * fired
    held: np.ndarray = np.clip(membrane + subtracted, -MEMBRANE_LIMIT, MEMBRANE_LIMIT) - subtracted
    return held


class CurrentLimits:
    """Finds currents that would wrap on the chip; populations whose weights rule that out cost nothing."""

    def __init__(self, network: ChipNetwork, steps: int):
        self._network = network
        self._synapses = {
            name: [
                (p, synapse_list(p, network.source_shape(p.source), population.shape)) for p in network.incoming(name)
            ]
            for name, population in network.populations.items()
            if population_bounds(network, population, steps).wraps
        }

    def check(self, sent: dict[str, np.ndarray], sample: int) -> None:
        """Of one sample.

        Args:
            sent: input or population -> [T, neurons] spikes.

        Raises:
            UserError: a current leaves its register.
        """
        for name, projections in self._synapses.items():
            size = self._network.populations[name].size
            total: np.ndarray | int = 0
            for projection, synapses in projections:
                weights = synapses.weight << projection.weight_exp
                arriving = [
                    np.bincount(synapses.target, weights * step[synapses.source], minlength=size)
                    for step in sent[projection.source]
                ]
                total = total + np.stack(arriving)  # doubles hold these integers exactly
            current = np.asarray(total) * (1 << SYNAPSE_SHIFT)
            # Lava's register holds +2^23 and wraps -2^23
            beyond = np.argwhere((current > STATE_LIMIT) | (current <= -STATE_LIMIT))
            if len(beyond):
                raise UserError(
                    f"a current beyond 24 bits in sample {sample}, step {int(beyond[0][0])}: the chip wraps it, "
                    "SANA-FE does not",
                    where=name,
                    remedy="use --engine fast or lava",
                )
