"""How long a sample takes on a chip: each step as long as its busiest core, by the times of Davies et al. 2018.

A core works through the synaptic operations that arrive in a step and then through its neurons, one after the other;
all cores work at once, and a barrier ends the step. Layer n of the pipeline works n steps behind the input, so a sample
alone takes T steps and the depth of the pipeline; in a stream, where samples follow without gaps, T steps each.
"""

from __future__ import annotations

import numpy as np
import torch

from ..chip_network.apply_weight import apply_weight
from ..chip_network.form import ChipNetwork
from ..chips.description import load_chip
from ..mapping import Mapping
from ..progress import tracked
from ..samples.recording import EncodedInput, EncodedSamples
from .constant_set import load_constants
from .figures import Amount, Count, Joules, Part, Status, spread

SAMPLES = 8  # whose steps are looked at one by one


class Latency(Part):
    """Seconds a sample takes on the chip, alone and in a stream; the layer whose cores are the slowest most often.

    `low` and `high` are by the spread of the barrier and of active and inactive updates.
    """

    status: Status
    samples: Count
    alone: Joules
    streamed: Joules
    longest_step: Amount
    slowest_layer: str
    steps_alone: Count
    not_included: list[str]


def latency_figures(network: ChipNetwork, encoded: EncodedSamples, mapping: Mapping | None) -> Latency | None:
    """Latency of the first `SAMPLES` samples; None without a mapping."""
    if mapping is None:
        return None
    part = encoded.part(slice(SAMPLES))
    prices = load_chip(network.chip).energy
    constants = load_constants(prices.constants)
    seconds = {key: constants[f"time_{key}"].interval("second") for key in ("synaptic_operation", "barrier")}
    update = {key: constants[f"time_update_{key}"].interval("second").value for key in ("active", "inactive")}
    operations, neurons = core_loads(network, part, mapping)
    depths = network.depths()
    total = part.steps + max(depths.values(), default=0)
    busiest = {"low": np.zeros((part.samples, total)), "high": np.zeros((part.samples, total))}
    slowest = np.zeros((part.samples, total), dtype=np.int64)
    for index, (name, arriving) in enumerate(operations.items()):
        for end, each in (("low", update["inactive"]), ("high", update["active"])):
            time = arriving * seconds["synaptic_operation"].value + neurons[name] * each
            longest = time.max(axis=2)
            window = slice(depths[name], depths[name] + part.steps)
            if end == "high":
                slowest[:, window][longest > busiest[end][:, window]] = index
            np.maximum(busiest[end][:, window], longest, out=busiest[end][:, window])
    barrier = seconds["barrier"]
    low, high = busiest["low"] + barrier.low, busiest["high"] + (barrier.high or barrier.value)
    names = list(operations)
    return Latency(
        status="assumed" if prices.assumed else "modelled from simulated times",
        samples=part.samples,
        alone=_range(low.sum(axis=1), high.sum(axis=1)),
        streamed=_range(low.mean(axis=1) * part.steps, high.mean(axis=1) * part.steps),
        longest_step=float(high.max()),
        slowest_layer=names[int(np.bincount(slowest.ravel(), minlength=len(names)).argmax())],
        steps_alone=total,
        not_included=[
            "messages on their way and waiting for each other, input and output, the host",
            "learning and anything that keeps a core from working through its list",
        ],
    )


def core_loads(
    network: ChipNetwork, encoded: EncodedInput, mapping: Mapping
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What each core of each population has to do.

    Returns:
        synaptic operations that arrive, int64 [samples, steps, cores]; neurons, int64 [cores].
    """
    operations = _operations(network, encoded, mapping)
    return operations, {name: np.bincount(_cores(mapping, name)) for name in network.populations}


def _operations(network: ChipNetwork, encoded: EncodedInput, mapping: Mapping) -> dict[str, np.ndarray]:
    """Synaptic operations that arrive at each core of each population, int64 [samples, steps, cores]."""
    from ..simulator import simulate

    sent = {**encoded.messages, **simulate(network, encoded, record=("spikes",)).spikes}
    found = {}
    for name, population in tracked(list(network.populations.items()), "time of a step, layers"):
        cores = _cores(mapping, name)
        arriving = np.zeros((encoded.samples, encoded.steps, population.size))
        for projection in network.incoming(name):
            shape = network.source_shape(projection.source)
            events = np.broadcast_to(sent[projection.source] != 0, (encoded.samples, encoded.steps, *shape))
            mask = torch.from_numpy((projection.weight != 0).astype(np.float32))
            with torch.no_grad():
                # sums of ones far below 2^24: exact in float32
                x = torch.from_numpy(events.reshape(-1, *shape).astype(np.float32))
                counted = apply_weight(x, mask, projection.geometry).reshape(arriving.shape).numpy()
            late = projection.delay
            arriving[:, late:] += counted[:, : encoded.steps - late] if late else counted
        # sums of whole numbers far below 2^53: exact in float64
        rows = [np.bincount(cores, row) for row in arriving.reshape(-1, population.size)]
        by_core = np.reshape(rows, (encoded.samples, encoded.steps, cores.max() + 1))
        found[name] = by_core
    return found


def _cores(mapping: Mapping, name: str) -> np.ndarray:
    """Which of the population's own cores holds each neuron."""
    numbers = mapping.core_numbers(name).ravel()
    own: np.ndarray = numbers - numbers.min()
    return own


def _range(low: np.ndarray, high: np.ndarray) -> Joules:
    return Joules(**spread((low + high) / 2), low=float(low.mean()), high=float(high.mean()))
