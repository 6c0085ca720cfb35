"""Target "norse": the float graph, which `dalif_deploy.load_norse` opens as a module of Norse's neurons."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..norse.network import NorseNetwork
from ..source import Source
from .nir import write_nir_target
from .request import ExportRequest


def write_norse_target(source: Source, request: ExportRequest, folder: Path) -> dict[str, Any]:
    """As target nir, once it is certain that Norse has every neuron of the graph."""
    NorseNetwork(source.graph, source.dt)
    return {**write_nir_target(source, request, folder), "norse": version("norse")}
