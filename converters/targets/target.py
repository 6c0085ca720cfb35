"""What every target is to the rest: a writer of what was compiled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from ..compile_source import Compiled


class Target(ABC):
    """One format that dalif-export writes; `TARGETS` holds one object of each class, made without arguments.

    Whatever the target, the folder gets the float graph, the compiled network and the checkpoint, as far as there are
    any, so that every engine can run it. A target adds its own files.

    Attributes:
        name: what `--target` calls it.
        about: what it writes, in a few words.
        compiles: True if it needs the integers of a chip; the float graph alone otherwise.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    compiles: ClassVar[bool] = True

    def require(self) -> None:  # noqa: B027 - most need nothing
        """Looks for what the target needs of this machine, before any work is done.

        Raises:
            UserError: a package is missing.
        """

    def adapt(self, compiled: Compiled) -> Compiled:
        """What the format makes of the network; by default it takes it as it is.

        What is changed here is changed in every file of the folder, and belongs into `Compiled.figures`.

        Args:
            compiled: the network; not to be changed in place.

        Raises:
            UserError: something that the format can't say; naming the layer.
        """
        return compiled

    @abstractmethod
    def write(self, compiled: Compiled, folder: Path) -> dict[str, Any]:
        """Writes the target's own files.

        Args:
            compiled: what `adapt` returned.
            folder: exists; becomes the user's folder when all is written, and vanishes if anything is raised.

        Returns:
            What export.json says of these files, beside `Compiled.figures`.

        Raises:
            UserError: as `adapt`.
        """
