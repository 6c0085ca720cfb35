"""Energy by the terms that SANA-FE is calibrated with: other kinds of events than Davies's table has."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..chip_network.form import ChipNetwork
from ..chips.description import load_chip, sanafe_chip
from .constant_set import load_constants
from .counts import ActivityCounts
from .models import Energy, PricedEvents, add_terms


def sanafe_terms(network: ChipNetwork, counts: ActivityCounts) -> list[PricedEvents]:
    """Events of a sample, from real spikes on a mapped network (`counts.traffic`).

    As in SANA-FE (`LoihiLifModel::update`, `chip.cpp`): every neuron is accessed each step, the active ones are updated
    besides, those that fire pay for that too; a message leaves once for each destination core. What enters the chip
    from outside is left out: its axons and hops depend on where it enters.
    """
    constants = load_constants(sanafe_chip(network.chip)[1].constants)
    # a core's synapses are of one kind: dense ones where any projection into the layer is dense
    dense_layers = {p.target for p in network.projections.values() if p.geometry is None}
    operations = {
        dense: _sum(
            counts,
            (
                counted.synaptic_operations
                for counted in counts.projections.values()
                if counted.source in network.populations and (counted.target in dense_layers) == dense
            ),
        )
        for dense in (True, False)
    }
    accesses = counts.updates_active() + counts.updates_inactive()
    assert counts.traffic is not None
    traffic = counts.traffic.counts
    messages = traffic["messages"] - traffic["from_input"]
    prices = (
        ("synaptic operations, dense", operations[True], "synaptic_operation_dense"),
        ("synaptic operations, convolutions", operations[False], "synaptic_operation_conv"),
        ("neuron accesses", accesses, "neuron_access"),
        ("neuron updates, active", counts.updates_active(), "neuron_update"),
        ("spikes", counts.spikes(), "spike_out"),
        ("messages", messages, "message_out"),
        ("hops, east-west", traffic["hops_east_west"], "hop_east_west"),
        ("hops, north-south", traffic["hops_north_south"], "hop_north_south"),
    )
    return [PricedEvents(name, count, key, constants[key]) for name, count, key in prices]


def sanafe_energy(network: ChipNetwork, counts: ActivityCounts) -> Energy | None:
    """The terms and their sum, joules a sample; None for a chip that SANA-FE does not have, or without a mapping."""
    own = load_chip(network.chip).sanafe
    if own is None or counts.traffic is None:
        return None
    constants = load_constants(own.constants)
    terms = sanafe_terms(network, counts)
    return Energy(
        model=constants.name,
        title=constants.title,
        status="modelled from terms fitted to measurements",
        terms=[term.figures() for term in terms],
        total=add_terms(terms),
        not_included=[
            "static energy, barrier, input and output, embedded x86 cores: SANA-FE has no terms for them",
            "synaptic operations and messages of what enters the chip from outside",
        ],
    )


def _sum(counts: ActivityCounts, arrays: Iterable[np.ndarray]) -> np.ndarray:
    return sum(arrays, np.zeros(counts.samples, dtype=np.int64))
