"""Measures the energy of the same spiking network on a GPU, by NVML's counter of the board's total energy.

The counter (mJ since the driver was loaded, Volta and newer) moves every 20 to 100 ms, so the work is repeated for
several seconds. It contains idle power and the GPU's memory, not the host's processor. Gross energy is reported, and
energy above the power of an idle window measured just before. Not run on a GPU yet: the arithmetic is tested with a
made-up counter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from hw_models.chip_network import ChipNetwork
from hw_models.energy.gpu_roofline import LARGE_BATCH
from hw_models.recording import EncodedInput

MEASURE_SECONDS = 5.0
IDLE_SECONDS = 3.0


class EnergyCounter(Protocol):
    """A board's energy since some moment in the past."""

    name: str

    def joules(self) -> float:
        """Energy so far, after all work given to the device is done."""


class NvmlCounter:
    """NVML's total energy of the GPU that torch uses."""

    def __init__(self) -> None:
        import pynvml
        import torch

        pynvml.nvmlInit()
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        # by identity, because torch and NVML may number devices differently
        self._handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{properties.uuid}")
        self._nvml, self._torch, self.name = pynvml, torch, properties.name
        self.joules()

    def joules(self) -> float:
        """Energy so far, after all work given to the device is done."""
        self._torch.cuda.synchronize()
        millijoules: int = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        return millijoules * 1e-3


def find_counter() -> tuple[EnergyCounter | None, str]:
    """The GPU's counter, or None and the reason why nothing can be measured."""
    import torch

    if not torch.cuda.is_available():
        return None, "torch sees no CUDA GPU"
    try:
        import pynvml
    except ImportError:
        return None, "nvidia-ml-py is not installed (pip install 'dalif-deploy[gpu]')"
    try:
        return NvmlCounter(), ""
    except (pynvml.NVMLError, AttributeError) as error:
        return None, f"NVML gives no energy counter for this GPU ({error})"


def measured_gpu(
    network: ChipNetwork, encoded: EncodedInput, counter: EnergyCounter, *, device: str = "cuda"
) -> list[dict[str, Any]]:
    """Batch 1 and a large batch of the bit-exact simulator on the GPU, nothing recorded."""
    from hw_models.simulator import simulate_chunks

    rows = []
    for batch in dict.fromkeys((1, min(LARGE_BATCH, encoded.samples))):
        part = encoded.part(slice(0, min(encoded.samples, 32 if batch == 1 else batch)))

        def run(part: EncodedInput = part, batch: int = batch) -> None:
            for _ in simulate_chunks(network, part, record=(), batch_size=batch, device=device):
                pass

        figures = measure(run, counter, part.samples)
        rows.append(
            {
                "status": "measured",
                "gpu": counter.name,
                "precision": "bit-exact simulator (float32)",
                "batch": batch,
                **figures,
            }
        )
    return rows


def measure(
    run: Callable[[], None],
    counter: EnergyCounter,
    samples: int,
    *,
    seconds: float = MEASURE_SECONDS,
    idle_seconds: float = IDLE_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Energy of one sample: `run` is repeated until `seconds` have passed.

    Returns:
        joules (gross), joules_above_idle, idle_watts, seconds a sample, window_seconds and repeats.
    """
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
    return {
        "joules": spent / done,
        "joules_above_idle": (spent - idle_watts * window) / done,
        "idle_watts": idle_watts,
        "seconds": window / done,
        "window_seconds": window,
        "repeats": repeats,
    }
