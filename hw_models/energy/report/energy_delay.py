"""The report's `energy_delay`: energy with the idle chip in it, times time; and what waiting costs.

Seconds are modelled (latency.py), not assumed: static energy is the power of whole chips for as long as a sample takes,
the embedded x86 cores' is what others measured while those served input and output. A sample alone (batch 1) waits
for the pipeline's depth; in a stream (batch n) it does not.
"""

from __future__ import annotations

from typing import Literal

from ...chips.description import load_chip
from ..constant_set import load_constants
from ..figures import Amount, Part, Status
from ..latency import Latency
from ..models import ChipEnergy

RATES = (10.0, 100.0, 1000.0)  # samples a second at which a chip is said to wait


class EnergyDelayRow(Part):
    """A sample alone, or one of a stream."""

    name: Literal["alone (batch 1)", "in a stream (batch n)"]
    seconds: Amount
    dynamic_joules: Amount
    static_joules: Amount
    x86_joules: Amount
    joule_seconds: Amount


class Waiting(Part):
    """Joules a sample where samples come at a fixed rate: the chips leak from one to the next."""

    samples_a_second: Amount
    joules: Amount
    static_share: Amount


class EnergyDelay(Part):
    """Energy, delay and their product; rates that are faster than the chip are left out."""

    status: Status
    rows: list[EnergyDelayRow]
    waiting: list[Waiting]
    not_included: list[str]


def energy_delay(energy: ChipEnergy, latency: Latency | None, chip: str) -> EnergyDelay | None:
    """The report's part; None where the network was not mapped."""
    if latency is None:
        return None
    constants = load_constants(load_chip(chip).energy.constants)
    watts = energy.static.watts * energy.static.chips
    x86 = constants["x86_power"].interval("watt").value * energy.static.chips
    dynamic = energy.total.mean
    rows = []
    for name, times in (("alone (batch 1)", latency.alone), ("in a stream (batch n)", latency.streamed)):
        seconds = times.mean
        joules = dynamic + (watts + x86) * seconds
        rows.append(
            EnergyDelayRow(
                name=name,  # type: ignore[arg-type]
                seconds=seconds,
                dynamic_joules=dynamic,
                static_joules=watts * seconds,
                x86_joules=x86 * seconds,
                joule_seconds=joules * seconds,
            )
        )
    reached = [rate for rate in RATES if rate * latency.streamed.mean <= 1]
    return EnergyDelay(
        status="assumed" if load_chip(chip).energy.assumed else "modelled",
        rows=rows,
        waiting=[
            Waiting(
                samples_a_second=rate,
                joules=dynamic + watts / rate,
                static_share=watts / rate / (dynamic + watts / rate),
            )
            for rate in reached
        ],
        not_included=["the host and its link; chips of the board that the network does not use"],
    )
