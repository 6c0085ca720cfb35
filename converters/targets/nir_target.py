"""Target "nir": the float graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .target import Target

if TYPE_CHECKING:
    from ..compile_source import Compiled


class NirTarget(Target):
    """What every folder has, and nothing else."""

    name, about = "nir", "the float graph (NIR)"
    compiles = False

    def write(self, compiled: Compiled, folder: Path) -> dict[str, Any]:
        """See Target."""
        return {}
