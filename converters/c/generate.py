"""Writes a ChipNetwork as a folder of C."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.chips.description import load_chip

from . import wording
from .footprint import footprint, memory_lines
from .host import host_layers
from .make_plan import plan_c
from .plan import Plan
from .registers import Register
from .state import state_fields

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
SOURCES = ("network.h", "network.c", "constants.h", "constants.c")
EXPORTED = (*SOURCES, "main.c", "Makefile", "CMakeLists.txt", "README.md")
SET_BITS = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]
COLUMNS = 110  # of a line of numbers


def generate_c(network: ChipNetwork, folder: Path, *, title: str = "network", fast: bool = False) -> Plan:
    """Writes the C code of `network` into `folder`, which exists.

    Args:
        title: what the header and the README are headed with.
        fast: see `plan_c`.

    Returns:
        What the code consists of.

    Raises:
        UserError: a loop without delay, neurons numbered in two ways.
    """
    plan = plan_c(network, fast=fast)
    write_sources(plan, folder, EXPORTED, title=title, memory=memory_lines(footprint(plan)))
    return plan


def write_sources(plan: Plan, folder: Path, names: Iterable[str], **more: Any) -> None:
    """Renders templates by name."""
    environment = _environment()
    for name in names:
        template = environment.get_template(f"{name}.j2")
        text = template.render(**_context(plan), **more)
        (folder / name).write_text(_tidy(text), encoding="utf-8")


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"numbers": _numbers, "comment": _comment, "register": _register, "rows": _rows}
    for function in (
        wording.part_window,
        wording.constants_of,
        wording.part_description,
        wording.part_parameters,
        wording.part_arguments,
        wording.part_slot,
        wording.layer_description,
        wording.current_expression,
        wording.membrane_expression,
        wording.waits_type,
        wording.gathered_value,
        wording.output_description,
        wording.output_value,
    ):
        environment.globals[function.__name__] = function
    return environment


def _context(plan: Plan) -> dict[str, Any]:
    layers = plan.layers
    registers = [r for layer in layers for r in (layer.current_keep, layer.membrane_keep)]
    hosts = host_layers(plan)
    bias_registers = load_chip(plan.network.chip).registers if hosts else None
    # inputs' `fires` is not asked for
    return {
        "plan": plan,
        "network": plan.network,
        "hosts": hosts,
        "hosted": bool(hosts),
        "bias_registers": bias_registers,
        "sample_words": _sample_words(plan),
        "steps": plan.steps,
        "address_type": plan.address_type,
        "inputs": plan.inputs,
        "layers": layers,
        "outputs": plan.outputs,
        "state_fields": state_fields(plan),
        "parts": plan.parts,
        "kernels": plan.kernels,
        "registers": plan.registers,
        "sources": [*plan.inputs, *(layer.source for layer in layers)],
        "listed": [*plan.inputs, *(layer.source for layer in layers if layer.fires)],
        "any_listed": any(layer.fires and not layer.fires_several for layer in layers)
        or any(i.level_type is None for i in plan.inputs),
        "any_several": any(layer.fires_several for layer in layers),
        "bits_set": np.array([len(bits) for bits in SET_BITS]),
        "set_bits": [bits + [0] * (8 - len(bits)) for bits in SET_BITS],
        "any_decays": any(r is not None for r in registers),
        "any_wraps": any(layer.wraps for layer in layers),
        "any_wraps24": any(part.wraps24 for part in plan.parts),
        "any_clips": any(layer.clips for layer in layers),
        "any_within": any(wording.calls_within(part) for part in plan.parts),
    }


def _numbers(values: np.ndarray) -> str:
    text = ", ".join(map(str, values.tolist())) or "0"
    return textwrap.fill(text, COLUMNS, initial_indent="    ", subsequent_indent="    ")


def _rows(rows: list[list[int]]) -> str:
    return "\n".join(f"    {{{', '.join(map(str, row))}}}," for row in rows)


def _comment(text: str) -> str:
    """A name as a comment may hold it."""
    return re.sub(r"[^\x20-\x7e]|\*/|/\*|\\", "?", text)


def _register(register: Register | None) -> str:
    """A cell of the README."""
    if register is None or (register.shared and register.always_zero):
        return "-"
    if register.shared:
        return str(register.value)
    return f"{register.values.min()} to {register.values.max()}, one a {register.per}"


def _sample_words(plan: Plan) -> str:
    biases = [f"the bias of {layer.id} (int32_t)" for layer in plan.layers if layer.bias is None]
    frames = [f"a frame of {source.id} ({source.level_type or 'uint8_t'})" for source in plan.inputs]
    return ", then ".join([*biases, *frames]) or "a byte that is not looked at"


def _tidy(text: str) -> str:
    """No blanks at ends of lines, no two empty lines."""
    lines = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"
