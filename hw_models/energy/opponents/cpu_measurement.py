"""The same spiking network on this machine's processor, by RAPL: the counters that Linux shows under powercap.

A package's counter (microjoules) has its cores and caches; memory has one of its own on some machines ("dram") and is
added. Parts of a package and the whole platform ("psys") would count twice and are left out. A counter starts again at
0 after `max_energy_range_uj`. It counts all programs on the processor: idle power, taken just before, has what else
was running then.
"""

from __future__ import annotations

import platform
from pathlib import Path

from ...chip_network.form import ChipNetwork
from ...samples.recording import EncodedSamples
from ..figures import Count, Part
from .measurement import EnergyCounter, MeasuredRun, measured_rows

POWERCAP = Path("/sys/class/powercap")
LARGE_CPU_BATCH = 128  # keeps memory small: 64 MB for the membranes of 131,072 neurons


class Processor(Part):
    """Which processor, and how many threads torch used."""

    processor: str
    threads: Count


class MeasuredCpu(MeasuredRun, Processor):
    """A processor, by RAPL."""


class _Zone:
    """One counter, made to grow for ever. It may start again once between two readings: some minutes at full power."""

    def __init__(self, folder: Path):
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text())
        self._last, self._total = int(self._file.read_text()), 0

    def microjoules(self) -> int:
        now = int(self._file.read_text())
        self._total += now - self._last + (self._range if now < self._last else 0)
        self._last = now
        return self._total


class RaplCounter:
    """All packages and their memory together.

    Raises:
        OSError, ValueError: a counter can't be read.
        LookupError: there is none.
    """

    def __init__(self, powercap: Path = POWERCAP):
        names = {folder: (folder / "name").read_text().strip() for folder in sorted(powercap.glob("intel-rapl:*"))}
        if not any(name.startswith("package") for name in names.values()):
            raise LookupError(f"no RAPL package under {powercap}")
        self._zones = [_Zone(folder) for folder, name in names.items() if name.startswith("package") or name == "dram"]
        self.name = _processor()

    def joules(self) -> float:
        """Energy since the counter was made; torch's work on the processor is done when it returns."""
        return sum(zone.microjoules() for zone in self._zones) * 1e-6


def find_cpu_counter(powercap: Path = POWERCAP) -> tuple[EnergyCounter | None, str]:
    """The processor's counter, or None and the reason why nothing can be measured."""
    try:
        return RaplCounter(powercap), ""
    except LookupError as error:
        return None, f"{error}: neither this processor nor its virtual machine or container shows its energy"
    except PermissionError as error:
        return None, f"{error.filename} can be read by its owner only (Linux 5.10 and newer: root)"
    except (OSError, ValueError) as error:
        return None, f"RAPL can't be read ({error})"


def measured_cpu(network: ChipNetwork, encoded: EncodedSamples, counter: EnergyCounter) -> list[MeasuredCpu]:
    """Rows of `measured_rows`, each with the processor's name and the threads that torch uses."""
    import torch

    rows = measured_rows(network, encoded, counter, device="cpu", large_batch=LARGE_CPU_BATCH)
    threads = torch.get_num_threads()
    return [MeasuredCpu(processor=counter.name, threads=threads, **row.model_dump()) for row in rows]


def _processor() -> str:
    """As Linux names it: "model name" of /proc/cpuinfo."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
