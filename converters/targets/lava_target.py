"""Target "lava": the compiled network, which Lava and the batched simulator run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .target import Target

if TYPE_CHECKING:
    from ..compile_source import Compiled


class LavaTarget(Target):
    """What every folder of integers has, and nothing else."""

    name, about = "lava", "the integers of a chip, for Lava and the batched simulator"

    def write(self, compiled: Compiled, folder: Path) -> dict[str, Any]:
        """See Target."""
        return {}
