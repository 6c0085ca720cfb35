"""What an export did, as tables for a terminal."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dalif_deploy.converters.advice.export_advice import RESET_HABITS
from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.hw_models.energy.units import readable


def print_export(artefact: Artefact, *, stream: TextIO) -> None:
    """Prints where the export lies, its time step, and a row a layer of trained and quantised values."""
    export = artefact.export
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else 140)
    console.print(f"{export['source']['file']} -> {artefact.folder} (target {export['target']})", soft_wrap=True)
    console.print(f"dt {export['dt']:g} s, {export['dt_from']}; {export['steps'] or '?'} steps per sample")
    for line in export_notes(export):
        console.print(Text(line), soft_wrap=True)
    if "layers" not in export:
        return
    if export.get("reset_from") == "assumed":
        console.print(
            f"reset to zero, assumed: the graph does not say. {RESET_HABITS}. Pass --reset zero or --reset subtract."
        )
    step = "" if export["input_step"] is None else f", one level = {export['input_step']:.4g}"
    console.print(f"chip {export['chip']}, input by {export['input']}{step}, {export['weight_bits']}-bit weights")
    table = Table("layer", "alpha", "beta", "threshold", "weights (SQNR)", "scale, bound by", "registers", "can fire")
    for layer in export["layers"]:
        table.add_row(
            layer["layer"],
            _pair(layer["alpha_trained"], layer["alpha_quantised"]),
            _pair(layer["beta_trained"], layer["beta_quantised"]),
            _pair(layer["threshold_trained"], layer["threshold_quantised"]),
            sqnr(layer),
            f"{_scale(layer['scale'])}/V, {layer['scale_bound_by']}",
            range_check(layer),
            can_fire(layer),
        )
    console.print(table)
    console.print("Pairs are trained -> quantised. Registers: worst case over all inputs, against 24 bits.")
    if export["calibration"]:
        seen = export["calibration"]
        console.print(
            f"Scales by rule {export['scale_rule']['name']}, one a {export['scale_rule']['group']}, from "
            f"{seen['samples']} samples of {seen['data']}; SQNR of weights / of currents on these samples."
        )
    for line in time_step_lines(export):
        console.print(Text(line))
    for line in export.get("warnings", ()):
        console.print(Text(f"WARNING: {line}", style="bold red"), soft_wrap=True)


def export_notes(export: dict[str, Any]) -> list[str]:
    """Lines on what the target needs and on what was changed or not verified on the way."""
    lines = []
    if "c" in export:
        from dalif_deploy.converters.c.footprint import Footprint, memory_lines

        lines += [f"C: {line}" for line in memory_lines(Footprint(**export["c"]))]
    lines += [f"not verified: {note}" for note in export.get("verification", {}).get("notes", [])]
    if "rewrite" in export:
        lines.append(_rewrite(export["rewrite"]))
    for delay in export.get("delays", []):
        lines.append(
            f"{delay['projection']}: spikes of {delay['neurons']} neurons wait {delay['steps']} steps for a longer "
            "path; timing stays that of the graph"
        )
    return lines


def time_step_lines(export: dict[str, Any]) -> list[str]:
    """What each writer's time step would make of the graph; none where the step is not in doubt."""
    if not export.get("time_steps"):
        return []
    why = (
        "the graph states no time step"
        if export["dt_from"] == "assumed"
        else "the time step may not be the intended one"
    )
    lines = [f"{why}; each writer's convention would give:"]
    for step in export["time_steps"]:
        taken = "taken" if abs(step["dt"] / export["dt"] - 1) < 1e-6 else "     "
        said = "; suggested by the neurons' gains" if step["states"] else ""
        lines.append(f"  {taken}  --dt {step['dt']:<7g} ({step['writers']}{said}): {_outcome(step)}")
    if export.get("writer"):
        lines.append(f"it looks written by {export['writer']}")
    fitting = [step for step in export["time_steps"] if step["fits"]]
    if len(fitting) > 1 and not any(step["states"] for step in fitting):
        steps = " or ".join(readable(step["dt"], "s") for step in fitting)
        lines.append(
            f"several fit, and nothing in the file tells which is meant: dt is how long a step of your data is, {steps}"
        )
    return lines


def _outcome(step: dict[str, Any]) -> str:
    if step["refused"]:
        return f"does not fit: {step['refused']}"
    weights = (
        "exact weights" if step["least_sqnr_db"] is None else f"weights keep {step['least_sqnr_db']:.1f} dB or more"
    )
    if step["silent"]:
        return f"does not fit: no input makes {', '.join(step['silent'])} fire; {weights}"
    return f"fits: every layer can fire, {weights}"


def can_fire(layer: dict[str, Any]) -> str:
    """How many neurons of the layer any input makes fire."""
    if layer.get("can_fire") is None:
        return "-"
    if layer["always_fires"] == layer["neurons"]:
        return "ALWAYS"
    return f"{layer['can_fire']} of {layer['neurons']}" if layer["can_fire"] else "NEVER"


def _rewrite(cost: dict[str, Any]) -> str:
    rules = ", ".join(f"{operation}={how}" for operation, how in cost["rewrite"].items())
    same = f"{100 * cost['same_decisions']:.1f} % of decisions unchanged"
    if cost["accuracy_before"] is not None:
        before, after = (100 * cost[f"accuracy_{when}"] for when in ("before", "after"))
        same = f"accuracy {before:.1f} % -> {after:.1f} %, {same}"
    return f"rewritten, {rules}: {same} (float, {cost['samples']} samples)"


def _pair(trained: Any, quantised: Any) -> str:
    if trained is None:
        return "-"
    return _number(trained) if quantised is None else f"{_number(trained)} -> {_number(quantised)}"


def _number(value: float | list[float]) -> str:
    if isinstance(value, list):
        return f"{value[0]:.4f}..{value[1]:.4f}"
    return f"{value:.4f}"


def _scale(value: float | list[float]) -> str:
    return f"{value[0]:.0f}..{value[1]:.0f}" if isinstance(value, list) else f"{value:.0f}"


def sqnr(layer: dict[str, Any]) -> str:
    """What rounding left of the layer's weights."""
    if layer["weights_exact"]:
        return "exact"
    if layer["weight_sqnr_db"] is None:
        return "on the host, 13-bit bias"
    clipped = f", {layer['weights_clipped']} clipped" if layer["weights_clipped"] else ""
    current = f" / {layer['current_sqnr_db']:.1f}" if layer.get("current_sqnr_db") is not None else ""
    return f"{layer['weight_sqnr_db']:.1f}{current} dB{clipped}"


def range_check(layer: dict[str, Any]) -> str:
    """Whether any input can overflow the layer's registers."""
    faults = []
    if layer["synaptic_may_wrap"]:
        faults.append("SYNAPTIC SUM OF A STEP MAY WRAP")
    if layer["current_may_wrap"]:
        faults.append("CURRENT MAY WRAP")
    if layer["membrane_may_clip"]:
        faults.append("membrane may clip")
    faults += [f"{kind.upper()} OVERFLOWED" for kind in ("current", "membrane") if layer.get(f"{kind}_overflow_seen")]
    return ", ".join(faults) or f"ok, current {layer['current_bits']} bits"
