"""What the arithmetic of a run did: which neurons fired, and which paths of the register equations ran at all.

A comparison that shows no difference says nothing of a path that never ran. These are exact counts, made by the
simulator itself when it is asked to look (`observed_state`); a plain run is not slowed by them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ..chip_network.form import NO_CURRENT_FILTER, ChipNetwork, Population


@dataclass
class PopulationCounts:
    """Counts over samples, steps and neurons of one population, values as integers of the registers.

    Attributes:
        fired: bool [*shape], neurons that fired at least once.
        spikes: spikes, each of which was a reset.
        updates: membranes computed: samples * steps * neurons.
        nonzero, negative: membranes after the reset that were not 0, that were below 0.
        met_threshold: membranes that met the threshold exactly, which does not fire.
        just_above, just_below: membranes one unit above the threshold (they fire), one unit below it.
        kept: spikes after which a reset by subtraction left a membrane.
        membrane_decays, current_decays: decays of what was not 0, by less than the whole.
        membrane_truncations, current_truncations: such decays that had a fraction to cut off.
        negative_truncations: of both, those of a negative value, where truncation toward zero is not the floor.
        biased: steps of neurons with a bias.
        bounded: membranes held at the lower bound of their neurons.
        several: steps of neurons that fired more than once.
        waited: steps of neurons that were refractory.
        high_clips, low_clips: membranes held at the upper, at the lower limit of their register.
        wraps: sums and currents that left their register and wrapped; those of a static input count once a batch.
    """

    fired: np.ndarray
    spikes: int = 0
    updates: int = 0
    nonzero: int = 0
    negative: int = 0
    met_threshold: int = 0
    just_above: int = 0
    just_below: int = 0
    kept: int = 0
    membrane_decays: int = 0
    current_decays: int = 0
    membrane_truncations: int = 0
    current_truncations: int = 0
    negative_truncations: int = 0
    biased: int = 0
    bounded: int = 0
    several: int = 0
    waited: int = 0
    high_clips: int = 0
    low_clips: int = 0
    wraps: int = 0

    def add(self, other: PopulationCounts) -> None:
        """Takes over what another run counted."""
        self.fired |= other.fired
        for item in fields(self):
            if item.name != "fired":
                setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


@dataclass
class Observation:
    """Counts of a network.

    Attributes:
        populations: name -> counts.
        carried: projection -> messages that it handed over which were not 0.
        bounds: name -> what the population can meet, whatever the data.
        biased: populations whose bias registers, or a sample's own, are not 0.
    """

    populations: dict[str, PopulationCounts] = field(default_factory=dict)
    carried: dict[str, int] = field(default_factory=dict)
    bounds: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def empty(network: ChipNetwork) -> Observation:
        """Nothing seen yet."""
        counts = {n: PopulationCounts(np.zeros(p.shape, dtype=bool)) for n, p in network.populations.items()}
        return Observation(counts, dict.fromkeys(network.projections, 0))

    def add(self, other: Observation) -> None:
        """Takes over what another run of the same network saw."""
        for name, counts in other.populations.items():
            self.populations[name].add(counts)
        for name, count in other.carried.items():
            self.carried[name] += count
        self.bounds |= other.bounds


def arithmetic_paths(network: ChipNetwork, observation: Observation, name: str) -> dict[str, int]:
    """Path of the arithmetic that a population's registers, weights and delays have -> how often it ran."""
    population, counts = network.populations[name], observation.populations[name]
    paths = {
        **_firing(population, counts),
        **_decays(population, counts),
        **_limits(network, observation, name),
    }
    for projection in network.incoming(name):
        how = f"delay of {projection.delay} on" if projection.delay else "input by"
        paths[f"{how} {projection.name}"] = observation.carried[projection.name]
    return paths


def _firing(population: Population, counts: PopulationCounts) -> dict[str, int]:
    if not population.fires:
        return {}
    return {
        "spike": counts.spikes,
        **({"rest of a reset by subtraction": counts.kept} if population.reset == "subtract" else {}),
        **({"refractory step": counts.waited} if population.refractory else {}),
        **({"several spikes in one step": counts.several} if population.max_spikes > 1 else {}),
        "threshold met within one unit": counts.met_threshold + counts.just_above + counts.just_below,
    }


def _decays(population: Population, counts: PopulationCounts) -> dict[str, int]:
    paths = {}
    if (population.dv != 0).any():
        paths["membrane decay"] = counts.membrane_decays
    if (population.du != NO_CURRENT_FILTER).any():
        paths["current decay"] = counts.current_decays
    if paths:
        paths["truncation of a negative value"] = counts.negative_truncations
    return paths


def _limits(network: ChipNetwork, observation: Observation, name: str) -> dict[str, int]:
    population, counts = network.populations[name], observation.populations[name]
    paths = {}
    host = any(h.target == name for h in network.host_projections.values())
    if host or population.bias.any() or counts.biased:
        paths["bias"] = counts.biased
    if population.v_min is not None:
        paths["lower bound of the membrane"] = counts.bounded
    bounds = observation.bounds.get(name)
    if bounds is not None and bounds.clips:
        paths["clip of the membrane"] = counts.high_clips + counts.low_clips
    if bounds is not None and bounds.wraps:
        paths["wrap of the current"] = counts.wraps
    return paths
