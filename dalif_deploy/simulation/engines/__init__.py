"""The engines of dalif-simulate: a file each, and the table that names them."""

from __future__ import annotations

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.input_data import InputData
from dalif_deploy.simulation.engines.c import CEngine
from dalif_deploy.simulation.engines.engine import Engine, EngineRun
from dalif_deploy.simulation.engines.fast import FastEngine
from dalif_deploy.simulation.engines.lava import LavaEngine
from dalif_deploy.simulation.engines.nir import NirEngine
from dalif_deploy.simulation.engines.norse import NorseEngine
from dalif_deploy.simulation.engines.onnx import OnnxEngine, OnnxFloatEngine
from dalif_deploy.simulation.engines.sanafe import SanafeEngine
from dalif_deploy.simulation.engines.torch import TorchEngine

__all__ = ["ENGINES", "Engine", "EngineRun", "make_engine"]

ENGINES: dict[str, type] = {
    e.name: e
    for e in (
        FastEngine,
        LavaEngine,
        CEngine,
        TorchEngine,
        NirEngine,
        NorseEngine,
        SanafeEngine,
        OnnxEngine,
        OnnxFloatEngine,
    )
}


def make_engine(name: str, artefact: Artefact, data: InputData, **options: object) -> Engine:
    """The engine of that name, ready to run `data` ([N, *shape] or [N, T, *shape]).

    Raises:
        UserError: no such engine, or the exported folder lacks what it needs.
    """
    if name not in ENGINES:
        raise UserError(f"unknown engine {name!r}", remedy=f"choose one of {', '.join(ENGINES)}")
    return ENGINES[name](artefact, data, **options)
