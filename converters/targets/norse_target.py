"""Target "norse": the float graph, which `dalif_deploy.load_norse` opens as a module of Norse's neurons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .target import Target

if TYPE_CHECKING:
    from ..compile_source import Compiled


class NorseTarget(Target):
    """As target nir, once it is certain that Norse has every neuron of the graph."""

    name, about = "norse", "the float graph, once Norse has each of its neurons"
    compiles = False

    def adapt(self, compiled: Compiled) -> Compiled:
        """See Target."""
        from ..norse.norse_network import NorseNetwork

        NorseNetwork(compiled.source.graph, compiled.source.dt)
        return compiled

    def write(self, compiled: Compiled, folder: Path) -> dict[str, Any]:
        """See Target."""
        from importlib.metadata import version

        return {"norse": version("norse")}
