"""Target "sanafe": the compiled network, mapped, in SANA-FE's own YAML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .target import Target

if TYPE_CHECKING:
    from ..compile_source import Compiled

SNN_FILE = "snn.yaml"  # for SANA-FE's Loihi (`sanafe.load_loihi()`); biases are those of the registers


class SanafeTarget(Target):
    """The network that `sanafe.load_net` opens, each neuron on its core."""

    name, about = "sanafe", "the integers, mapped, for SANA-FE's Loihi"

    def write(self, compiled: Compiled, folder: Path) -> dict[str, Any]:
        """See Target."""
        from importlib.metadata import version

        from ..sanafe.sanafe_network import build_sanafe, sanafe_core

        made, _, mapping = build_sanafe(compiled.network, biases=True)
        try:
            made.save(folder / SNN_FILE)
        finally:
            _require_room(folder)
        return {
            "cores": [sanafe_core(mapping, n) for n in range(len(mapping.cores))],
            "sanafe": version("sanafe"),
        }


def _require_room(folder: Path) -> None:
    # SANA-FE does not look whether its writes succeed: where one failed, another one fails now
    probe = folder / ".room"
    probe.write_bytes(bytes(1 << 16))
    probe.unlink()
