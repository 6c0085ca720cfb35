"""The engines of dalif-simulate: a file each, and the table that names them.

Nothing here imports torch or nir before an engine is made: the command lists the table in its --help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from dalif_deploy.hw_models.errors import chosen
from dalif_deploy.simulation.engines.c_engine import CEngine
from dalif_deploy.simulation.engines.engine import Engine, EngineRun, Progress
from dalif_deploy.simulation.engines.fast_engine import FastEngine
from dalif_deploy.simulation.engines.lava_engine import LavaEngine
from dalif_deploy.simulation.engines.nir_engine import NirEngine
from dalif_deploy.simulation.engines.norse_engine import NorseEngine
from dalif_deploy.simulation.engines.onnx_engine import OnnxEngine, OnnxFloatEngine
from dalif_deploy.simulation.engines.sanafe_engine import SanafeEngine
from dalif_deploy.simulation.engines.torch_engine import TorchEngine

if TYPE_CHECKING:
    from dalif_deploy.converters.artefact import Artefact
    from dalif_deploy.hw_models.samples.input_data import InputData

__all__ = ["ENGINES", "Engine", "EngineRun", "check_options", "engine_options", "make_engine"]

ENGINES: dict[str, type[Engine]] = {
    engine.name: engine
    for engine in (
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


def engine_options() -> dict[str, tuple[int | float | str, str]]:
    """Every option that some engine has: name -> (default, what it is), engines that share one named together."""
    found: dict[str, tuple[int | float | str, str, list[str]]] = {}
    for engine in ENGINES.values():
        for each in fields(engine.options_type):
            assert isinstance(each.default, int | float | str)
            default, about, engines = found.get(each.name, (each.default, each.metadata["about"], []))
            found[each.name] = default, about, [*engines, engine.name]
    return {name: (default, f"{', '.join(engines)}: {about}") for name, (default, about, engines) in found.items()}


def check_options(options: Mapping[str, object]) -> None:
    """Raises UserError for an option that no engine has."""
    for name in options:
        chosen(engine_options(), name, "engine option")


def make_engine(
    name: str,
    artefact: Artefact,
    data: InputData,
    *,
    steps: int | None = None,
    options: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Engine:
    """The engine of that name, ready to run `data`.

    Args:
        name: in `ENGINES`.
        artefact, data, steps, progress: see `Engine`.
        options: of any engines; it takes those of its own.

    Raises:
        UserError: no such engine, or the exported folder lacks what it needs.
    """
    engine = chosen(ENGINES, name, "engine")
    own = {each.name for each in fields(engine.options_type)} & (options or {}).keys()
    told = engine.options_type(**{each: (options or {})[each] for each in own})
    return engine(artefact, data, steps=steps, options=told, progress=progress)
