"""Target "sanafe": the compiled network, mapped, in SANA-FE's own YAML, beside what target lava writes."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.chip_network.file import read_chip_network

from ..artefact import NETWORK_FILE
from ..sanafe.network import build_sanafe, sanafe_core
from ..source import Source
from .lava import write_lava_target
from .request import ExportRequest

SNN_FILE = "snn.yaml"  # for SANA-FE's Loihi (`sanafe.load_loihi()`); biases are those of the registers


def write_sanafe_target(source: Source, request: ExportRequest, folder: Path) -> dict[str, Any]:
    """The network that `sanafe.load_net` opens, each neuron on its core."""
    figures = write_lava_target(source, request, folder)
    made, _, mapping = build_sanafe(read_chip_network(folder / NETWORK_FILE), biases=True)
    try:
        made.save(folder / SNN_FILE)
    finally:
        _require_room(folder)
    return {
        **figures,
        "cores": [sanafe_core(mapping, n) for n in range(len(mapping.cores))],
        "sanafe": version("sanafe"),
    }


def _require_room(folder: Path) -> None:
    # SANA-FE does not look whether its writes succeed: where one failed, another one fails now
    probe = folder / ".room"
    probe.write_bytes(bytes(1 << 16))
    probe.unlink()
