"""From a source to the integers of a chip, once; targets write what this makes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from dalif_deploy.hw_models.chips.names import DEFAULT_CHIP
from dalif_deploy.hw_models.errors import UserError

from .export_request import ExportRequest
from .source import Source

if TYPE_CHECKING:
    from dalif_deploy.hw_models.chip_network.form import ChipNetwork


@dataclass(frozen=True)
class Compiled:
    """A source, and what was made of it.

    Attributes:
        source: the network as it came, with its float graph.
        request: what was asked for.
        steps: of a sample; None where nobody said, which float targets allow.
        integers: the compiled network; None for a target that needs none.
        figures: what export.json says of the compilation.
    """

    source: Source
    request: ExportRequest
    steps: int | None
    integers: ChipNetwork | None
    figures: dict[str, Any]

    @property
    def network(self) -> ChipNetwork:
        """The compiled network, for targets with `compiles = True`."""
        assert self.integers is not None
        return self.integers


def as_it_is(source: Source, request: ExportRequest) -> Compiled:
    """The float graph alone, for targets that need no integers.

    A file whose time step is in doubt is compiled all the same, for what that says of the step; where it can't be,
    nothing is said, since the float graph may well stand.
    """
    steps = request.steps or source.steps
    figures: dict[str, Any] = {"steps": steps}
    if (
        steps is not None
        and not source.checkpoint
        and source.network is None
        and source.dt_from in ("assumed", "given")
    ):
        try:
            tried = compile_source(source, request).figures
        except UserError:
            tried = {}
        figures |= {key: tried[key] for key in ("reset_from", "writer", "time_steps", "warnings") if key in tried}
    return Compiled(source, request, steps, None, figures)


def compile_source(source: Source, request: ExportRequest) -> Compiled:
    """Compiles the graph for the chip, or takes the integers that the source has brought.

    Args:
        source: see `Source`.
        request: what is None in it is what the network was trained for, or the default.

    Raises:
        UserError: no number of steps; a network that the chip can't hold; options for integers that are there already.
    """
    from dalif_deploy.hw_models.chip_network.check import MOST_STEPS
    from dalif_deploy.hw_models.chips.description import load_chip
    from dalif_deploy.hw_models.compiler import Compiled as CompiledGraph
    from dalif_deploy.hw_models.compiler import ScaleRule, compile_graph
    from dalif_deploy.hw_models.compiler.plausibility import add_plausibility
    from dalif_deploy.hw_models.compiler.quantize import FULL_WEIGHT_BITS
    from dalif_deploy.hw_models.samples.input_data import sample_count

    from .advice.export_advice import Advice

    steps = source.steps if request.steps is None else request.steps
    if steps is None:
        raise UserError(
            "the graph does not say how many steps per sample has", where=str(source.path), remedy="give --steps"
        )
    if steps > MOST_STEPS:
        raise UserError(f"{steps:,} steps per sample; at most {MOST_STEPS:,} are taken", remedy="give fewer --steps")
    if source.network is not None:
        return _integers_as_they_are(source, source.network, request, steps)
    trained_for = source.trained_for
    chip = request.chip or trained_for.get("quantize") or DEFAULT_CHIP
    weight_bits = request.weight_bits
    if weight_bits is None:
        weight_bits = trained_for.get("weight_bits") or FULL_WEIGHT_BITS
    rule, calibration = request.scale_rule, request.calibration
    if rule is None and calibration is None:
        rule = ScaleRule(group=trained_for.get("scale_group") or "layer")
    mode = request.input_mode or (load_chip(chip).formats.image_input if source.checkpoint else "spikes")
    input_range = request.input_range or (source.input_lowest, source.input_highest)

    def compile_at(dt: float) -> CompiledGraph:
        made = compile_graph(
            source.graph,
            chip=chip,
            steps=steps,
            dt=dt,
            input_mode=mode,
            input_step=source.input_step,
            input_range=input_range,
            weight_bits=weight_bits,
            scale_rule=rule,
            calibration=None if calibration is None else calibration.inputs,
        )
        add_plausibility(made.layers, made.network, input_range)
        return made

    advice = Advice(source, compile_at, input_range)
    try:
        made = advice.compiled()
    except UserError as error:
        if not source.path.is_file():  # a module or graph in memory, which the command can't look into
            raise
        look = f"dalif-inspect {source.path} shows every layer"
        remedy = f"{look}; {error.remedy}" if error.remedy else look
        raise UserError(error.what, where=error.where, remedy=remedy) from error
    figures = {
        "chip": chip,
        "steps": steps,
        "input": mode,
        "input_step": next(iter(made.network.inputs.values())).step if mode == "graded" else None,
        "weight_bits": weight_bits,
        "scale_rule": asdict(made.rule),
        "calibration": None
        if calibration is None
        else {"data": calibration.name, "samples": sample_count(calibration.inputs)},
        "layers": made.layers,
        "delays": made.delays,
        **advice.figures(made, chip),
        "promises": promises(made.network, made.layers),
    }
    return Compiled(source, request, steps, made.network, figures)


def promises(network: ChipNetwork, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """What the figures of the export hold for; `encode_input` refuses whatever lies beyond.

    Args:
        layers: the compiler's report, a layer.
    """
    readouts = {name for name, population in network.populations.items() if not population.fires}
    return {
        "most_steps": network.steps,
        "inputs": {
            name: {"mode": item.mode, "lowest": item.lowest, "highest": item.highest}
            for name, item in network.inputs.items()
        },
        "readouts_never_fire": not any(r["membrane_may_clip"] for r in layers if r["layer"] in readouts),
    }


def _integers_as_they_are(source: Source, brought: ChipNetwork, request: ExportRequest, steps: int) -> Compiled:
    asked = (
        request.chip,
        request.input_mode,
        request.weight_bits,
        request.scale_rule,
        request.calibration,
        request.input_range,
    )
    if any(option is not None for option in asked):
        raise UserError(
            "is already compiled, so its chip, input, bits and scales are fixed",
            where=str(source.path),
            remedy="pass only --steps",
        )
    network = replace(brought, steps=steps)
    (chip_input,) = network.inputs.values()
    figures = {
        "chip": network.chip,
        "steps": steps,
        "input": chip_input.mode,
        "integers_from": source.path.name,
    }
    return Compiled(source, request, steps, network, figures)
