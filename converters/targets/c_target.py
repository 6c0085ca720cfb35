"""Target "c": C99 for any processor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .target import Target

if TYPE_CHECKING:
    from ..compile_source import Compiled

C_FOLDER = "c"


class CTarget(Target):
    """A folder of C that needs nothing else; refused where it does not fit the memory that was asked for."""

    name, about = "c", "the integers as C99 for any processor"

    def write(self, compiled: Compiled, folder: Path) -> dict[str, Any]:
        """See Target."""
        from ..c.footprint import check_footprint, footprint
        from ..c.generate import generate_c

        (folder / C_FOLDER).mkdir()
        plan = generate_c(compiled.network, folder / C_FOLDER, title=compiled.source.path.stem)
        needs = footprint(plan)
        check_footprint(needs, ram=compiled.request.ram, flash=compiled.request.flash)
        return {"c": asdict(needs)}
