"""The same spiking network on a GPU, by NVML's counter of the board's total energy.

The counter (mJ since the driver was loaded, Volta and newer) moves every 20 to 100 ms, so the work is repeated for
several seconds. It contains idle power and the GPU's memory, not the host's processor. Gross energy is reported, and
energy above the power of an idle window measured just before. Not run on a GPU yet: the arithmetic is tested with a
made-up counter.
"""

from __future__ import annotations

from ...chip_network.form import ChipNetwork
from ...samples.recording import EncodedSamples
from ..figures import Part
from .gpu_roofline import LARGE_BATCH
from .measurement import EnergyCounter, MeasuredRun, measured_rows


class Gpu(Part):
    """Which GPU."""

    gpu: str


class MeasuredGpu(MeasuredRun, Gpu):
    """A GPU, by NVML."""


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
    network: ChipNetwork, encoded: EncodedSamples, counter: EnergyCounter, *, device: str = "cuda"
) -> list[MeasuredGpu]:
    """Rows of `measured_rows`, each with the GPU's name."""
    rows = measured_rows(network, encoded, counter, device=device, large_batch=LARGE_BATCH)
    return [MeasuredGpu(gpu=counter.name, **row.model_dump()) for row in rows]
