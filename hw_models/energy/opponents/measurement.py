"""Measures the energy of the same spiking network on a device that counts its own joules; gross, and above idle."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

from ...chip_network.form import ChipNetwork
from ...progress import tracked
from ...samples.recording import EncodedInput, EncodedSamples
from ..figures import Amount, Count, Part

MEASURE_SECONDS = 5.0
IDLE_SECONDS = 3.0
SMALL_SAMPLES = 32  # that a run at batch 1 goes through


class Measurement(Part):
    """A sample's energy and time by a device's counter; joules above idle can come out negative.

    Attributes:
        joules: gross.
        window_seconds, repeats: of the work that was measured.
    """

    joules: Amount
    joules_above_idle: float
    idle_watts: Amount
    seconds: Amount
    window_seconds: Amount
    repeats: Count


class Run(Part):
    """What was measured."""

    status: Literal["measured"]
    precision: str
    batch: Count


class MeasuredRun(Measurement, Run):
    """A measurement of the bit-exact simulator."""


class EnergyCounter(Protocol):
    """A device's energy since some moment in the past."""

    name: str

    def joules(self) -> float:
        """Energy so far, after all work given to the device is done."""


def measured_rows(
    network: ChipNetwork, encoded: EncodedSamples, counter: EnergyCounter, *, device: str, large_batch: int
) -> list[MeasuredRun]:
    """Batch 1 and a large batch of the bit-exact simulator on the device, nothing recorded.

    A batch that does not fit in memory is measured, and named, as the largest that does.
    """
    from ...simulator import simulate_chunks

    rows: list[MeasuredRun] = []
    for batch in tracked(list(dict.fromkeys((1, min(large_batch, encoded.samples)))), "measuring, batch sizes"):
        part = encoded.part(slice(0, min(encoded.samples, SMALL_SAMPLES if batch == 1 else batch)))

        def run(part: EncodedInput, batch: int) -> list[int]:
            chunks = simulate_chunks(network, part, record=(), batch_size=batch, device=device)
            return [samples.stop - samples.start for samples, _ in chunks]

        # where memory does not suffice, batches are halved: neither those tries nor their name belong in the figures
        fits = max(run(part, batch))
        if any(row.batch == fits for row in rows):
            continue
        figures = measure(partial(run, part, fits), counter, part.samples)
        rows.append(
            MeasuredRun(
                status="measured",
                precision="bit-exact simulator (float32)",
                batch=fits,
                **figures.model_dump(),
            )
        )
    return rows


def measure(
    run: Callable[[], object],
    counter: EnergyCounter,
    samples: int,
    *,
    seconds: float = MEASURE_SECONDS,
    idle_seconds: float = IDLE_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> Measurement:
    """Energy of one sample: `run` is repeated until `seconds` have passed."""
    run()  # warm up: memory, kernels, clocks
    begin, energy = clock(), counter.joules()
    sleep(idle_seconds)
    idle_watts = (counter.joules() - energy) / (clock() - begin)
    repeats, begin, energy = 0, clock(), counter.joules()
    while clock() - begin < seconds or not repeats:
        run()
        repeats += 1
    spent = counter.joules() - energy
    window = clock() - begin
    done = repeats * samples
    return Measurement(
        joules=spent / done,
        joules_above_idle=(spent - idle_watts * window) / done,
        idle_watts=idle_watts,
        seconds=window / done,
        window_seconds=window,
        repeats=repeats,
    )
