"""ABR's keyword spotter on Loihi 1 (Blouw et al. 2019), 390-256-256-29, and copies of ten layers of 256 put into it.

Sizes: abr/power_benchmarks, models.py and paper/power_summary.tex. How often neurons fire is not stated: a share of
all, from none to one in two (a neuron rests a step after a spike).
"""

from __future__ import annotations

from itertools import pairwise

from dalif_deploy.hw_models.energy.silicon import Events

STEPS = 10  # "--stream 20000" for 2000 inferences, logs/running/*.json


def keyword_events(share: float) -> Events:
    """Events of an inference of the spotter, its input injected from outside."""
    return _events([390, 256, 256, 29], share)


def branch_events(share: float) -> Events:
    """Events of an inference that one more copy of ten layers adds."""
    return _events([256] * 11, share)


def _events(sizes: list[int], share: float) -> Events:
    pairs = list(pairwise(sizes))
    operations = STEPS * share * sum(before * after for before, after in pairs)
    neurons = sum(sizes[1:])
    active = STEPS * neurons * min(1.0, 256 * share)  # one arriving spike makes a neuron's step active
    return Events(
        steps=STEPS,
        synaptic_operations_dense=operations,
        synaptic_operations_convolution=0,
        updates_active=active,
        updates_inactive=STEPS * neurons - active,
        spikes=STEPS * share * neurons,
        messages=STEPS * share * neurons,
        messages_from_outside=STEPS * share * sizes[0],
        hops_east_west=0,
        hops_north_south=0,
        busiest_operations=None,
        busiest_neurons=None,
    )
