"""Target "lava": the compiled network, which Lava, the batched simulator and every target on a chip start from."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from dalif_deploy.hw_models.chip_network.file import write_chip_network
from dalif_deploy.hw_models.compiler import Compiled, ScaleRule, compile_graph
from dalif_deploy.hw_models.compiler.plausibility import add_plausibility
from dalif_deploy.hw_models.compiler.quantize import FULL_WEIGHT_BITS
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.input_data import sample_count

from ..advice import Advice
from ..artefact import NETWORK_FILE
from ..source import Source
from .nir import write_nir_target
from .request import ExportRequest


def write_lava_target(source: Source, request: ExportRequest, folder: Path) -> dict[str, Any]:
    """The compiled network, and all that target nir writes, to check it against."""
    steps = request.steps or source.steps
    if steps is None:
        raise UserError(
            "the graph does not say how many steps a sample has", where=str(source.path), remedy="give --steps"
        )
    if source.network is not None:
        return _write_integers(source, request, folder, steps)
    trained_for = source.trained_for
    chip = request.chip or trained_for.get("quantize") or "loihi2"
    weight_bits = request.weight_bits or trained_for.get("weight_bits") or FULL_WEIGHT_BITS
    rule = request.scale_rule
    if rule is None and request.calibration is None:
        rule = ScaleRule(group=trained_for.get("scale_group") or "layer")
    mode = request.input_mode or (default_input_mode(chip) if source.checkpoint else "spikes")

    def compile_at(dt: float) -> Compiled:
        made = compile_graph(
            source.graph,
            chip=chip,
            steps=steps,
            dt=dt,
            input_mode=mode,
            input_step=source.input_step,
            input_range=(0.0, source.input_highest),
            weight_bits=weight_bits,
            scale_rule=rule,
            calibration=None if request.calibration is None else request.calibration.inputs,
        )
        add_plausibility(made.layers, made.network, (0.0, source.input_highest))
        return made

    advice = Advice(source, compile_at)
    compiled = advice.compiled()
    write_nir_target(source, request, folder)
    write_chip_network(folder / NETWORK_FILE, compiled.network)
    return {
        "chip": chip,
        "steps": steps,
        "input": mode,
        "input_step": next(iter(compiled.network.inputs.values())).step if mode == "graded" else None,
        "weight_bits": weight_bits,
        "scale_rule": asdict(compiled.rule),
        "calibration": None
        if request.calibration is None
        else {"data": request.calibration.name, "samples": sample_count(request.calibration.inputs)},
        "layers": compiled.layers,
        "delays": compiled.delays,
        **advice.figures(compiled, chip),
    }


def _write_integers(source: Source, request: ExportRequest, folder: Path, steps: int) -> dict[str, Any]:
    """Integers that a source brings are written as they are."""
    asked = (request.chip, request.input_mode, request.weight_bits, request.scale_rule, request.calibration)
    if any(option is not None for option in asked):
        raise UserError(
            "is compiled already: chip, input, bits and scales are what they are",
            where=str(source.path),
            remedy="give --steps alone",
        )
    assert source.network is not None
    network = replace(source.network, steps=steps)
    write_nir_target(source, request, folder)
    write_chip_network(folder / NETWORK_FILE, network)
    (chip_input,) = network.inputs.values()
    return {"chip": network.chip, "steps": steps, "input": chip_input.mode, "integers_from": source.path.name}


def default_input_mode(chip: str) -> str:
    """Images, which networks of dalif-train see, enter loihi1 as bias, loihi2 as graded spikes."""
    return "bias" if chip == "loihi1" else "graded"
