"""What SANA-FE counts and what this project counts on the same mapped network and samples, event by event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.chips.description import sanafe_chip
from dalif_deploy.hw_models.energy.constant_set import load_constants
from dalif_deploy.hw_models.energy.counts import count_activity
from dalif_deploy.hw_models.energy.loihi_sanafe import sanafe_terms
from dalif_deploy.hw_models.samples.recording import EncodedInput

from .run import run_sanafe


@dataclass(frozen=True)
class Compared:
    """One kind of event or energy; `ours` and `sanafe` [samples], in `unit` ("" for counts)."""

    name: str
    ours: np.ndarray
    sanafe: np.ndarray
    unit: str = ""


def compare_costs(network: ChipNetwork, encoded: EncodedInput) -> tuple[list[Compared], np.ndarray]:
    """Counts, then energy by SANA-FE's constants; and SANA-FE's latency [samples] in seconds.

    SANA-FE's energy is made comparable by taking off what only its way of running one sample at a time costs: the
    accesses while the pipeline fills and empties, and the update in which a layer whose sample is over forgets its
    membrane. A network that spikes enter from outside has no row of energy: SANA-FE prices their messages, which start
    at a place of its choice, and does not show them apart.

    Raises:
        UserError: see `build_sanafe`.
    """
    _, seen = run_sanafe(network, encoded)
    counts = count_activity(network, encoded, mapping=seen.mapping)
    terms = sanafe_terms(network, counts)
    ours = {term.name: term.count for term in terms}
    constants = load_constants(sanafe_chip(network.chip)[1].constants).constants
    price = {key: constant.interval("joule").value for key, constant in constants.items()}
    accesses = ours["neuron accesses"]
    idle = (seen.accesses - accesses) * price["neuron_access"] + seen.tail_updates * price["neuron_update"]
    rows = [
        Compared("spikes", counts.spikes(), seen.spikes),
        Compared("messages", ours["messages"], seen.messages),
        Compared("hops, east-west", ours["hops, east-west"], seen.hops_east_west),
        Compared("hops, north-south", ours["hops, north-south"], seen.hops_north_south),
        Compared(
            "synaptic operations",
            ours["synaptic operations, dense"] + ours["synaptic operations, convolutions"],
            seen.synapse_events,
        ),
        Compared("neuron updates, active", ours["neuron updates, active"], seen.updates - seen.tail_updates),
    ]
    if not encoded.messages:
        none = np.zeros(encoded.samples)
        mine = sum((term.count * price[term.constant_name] for term in terms), none)
        rows.append(Compared("energy", mine, sum(seen.energy.values(), none) - idle, "J"))
    return rows, seen.seconds
