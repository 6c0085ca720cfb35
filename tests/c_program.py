"""A C program with samples built into it, which prints a check sum of all it saw; for sanitizers and qemu."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dalif_deploy.converters.c.generate import SOURCES, write_sources
from dalif_deploy.converters.c.plan import Plan
from dalif_deploy.hw_models.samples.recording import EncodedInput, Recording

BOARDS = Path(__file__).parent / "boards"

PROGRAM = """
#include "board.h"
#include "network.h"
{arrays}
static snn_state state;
static uint32_t crc = 0xffffffffu;

static void see(uint32_t byte)
{{
    crc ^= byte & 0xffu;
    for (int bit = 0; bit < 8; bit++) {{
        crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
    }}
}}

static void say(const char *what, uint32_t number)
{{
    char text[10];
    for (int digit = 0; digit < 8; digit++) {{
        text[digit] = "0123456789abcdef"[(number >> (28 - 4 * digit)) & 15u];
    }}
    text[8] = '\\n';
    text[9] = 0;
    board_write(what);
    board_write(text);
}}

int main(void)
{{
    uint32_t instructions = 0;
    snn_init(&state);
    for (uint32_t sample = 0; sample < {samples}u; sample++) {{
        snn_reset(&state);
{biases}
        for (uint32_t step = 0; step < {steps}u; step++) {{
            const uint32_t began = board_instructions();
{frames}
            snn_step(&state);
            instructions += board_instructions() - began;
{seen}
        }}
    }}
    say("crc ", ~crc);
    say("instructions ", instructions);
    say("bytes ", sizeof state);
    board_exit();
    return 0;
}}
"""


@dataclass
class Said:
    """What the program printed."""

    crc: int
    instructions: int
    bytes: int


def write_program(plan: Plan, encoded: EncodedInput, folder: Path) -> None:
    """The program and the network, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_sources(plan, folder, SOURCES, title="test")
    arrays, biases, frames, seen = [], [], [], []
    for source in plan.inputs:
        messages = encoded.messages[source.name]
        still, ctype = messages.shape[1] == 1, source.level_type or "uint8_t"
        arrays.append(_array(ctype, f"{source.id}_frames", messages))
        when = "if (step == 0) " if still else ""
        index = "sample" if still else f"(sample * {encoded.steps}u + step)"
        call = f"snn_{source.id}_frame(&state, {source.id}_frames + {index} * SNN_{source.id.upper()}_SIZE);"
        frames.append(" " * 12 + when + call)
    for layer in plan.layers:
        if layer.bias is None:
            mant, exp = encoded.bias[layer.name]
            arrays.append(_array("int32_t", f"{layer.id}_biases", mant.astype(np.int32) << exp.astype(np.int32)))
            call = f"snn_{layer.id}_bias(&state, {layer.id}_biases + sample * SNN_{layer.id.upper()}_SIZE);"
            biases.append(" " * 8 + call)
        seen.append(_seen(layer.id, layer.fires, layer.fires_several, layer.source.slots))
    text = PROGRAM.format(
        arrays="\n".join(arrays),
        samples=encoded.samples,
        steps=encoded.steps,
        biases="\n".join(biases),
        frames="\n".join(frames),
        seen="\n".join(seen),
    )
    (folder / "program.c").write_text(text)


def _array(ctype: str, name: str, values: np.ndarray) -> str:
    return f"static const {ctype} {name}[] = {{{', '.join(map(str, values.ravel().tolist())) or '0'}}};"


def _seen(layer: str, fires: bool, several: bool, slots: int) -> str:
    """All membranes, then for each neuron that fired its number, and how often where it may fire several times."""
    size = f"SNN_{layer.upper()}_SIZE"
    lines = [
        f"for (uint32_t n = 0; n < {size}; n++) {{",
        f"    const uint32_t v = (uint32_t)state.{layer}_membrane[n];",
        "    see(v); see(v >> 8); see(v >> 16); see(v >> 24);",
        "}",
    ]
    if fires:
        now = f"[(state.{layer}_now + {slots - 1}u) % {slots}u]" if slots > 1 else ""
        last = f"state.{layer}_first{now}[SNN_{layer.upper()}_PLACES]"
        lines += [
            f"for (uint32_t e = 0; e < {last}; e++) {{",
            f"    see(state.{layer}_event{now}[e]); see((uint32_t)state.{layer}_event{now}[e] >> 8);",
            *([f"    see(state.{layer}_level{now}[e]);"] if several else []),
            "}",
        ]
    return "\n".join(" " * 12 + line for line in lines)


def expected_crc(plan: Plan, recording: Recording) -> int:
    """The check sum that the program must print, from a recording of another engine."""
    crc = 0
    samples, steps = next(iter(recording.membrane.values())).shape[:2]
    for sample in range(samples):
        for step in range(steps):
            for layer in plan.layers:
                order = layer.space.order
                membrane = recording.membrane[layer.name][sample, step].reshape(-1)[order]
                crc = zlib.crc32(membrane.astype("<i4").tobytes(), crc)
                if layer.fires:
                    spikes = recording.spikes[layer.name][sample, step].reshape(-1)[order]
                    events = np.flatnonzero(spikes)
                    said = events.astype("<u2").view(np.uint8).reshape(-1, 2)
                    if layer.fires_several:
                        said = np.column_stack([said, spikes[events].astype(np.uint8)])
                    crc = zlib.crc32(said.tobytes(), crc)
    return crc


def build(folder: Path, command: Iterable[str], *boards: str, more: Iterable[str] = ()) -> Path:
    """The program, linked for a board, with the files of `boards`."""
    sources = ["program.c", "network.c", "constants.c", *(str(BOARDS / f"{board}.c") for board in boards)]
    program = folder / "program"
    call = [*command, "-std=c99", "-I", str(BOARDS), *sources, "-o", str(program), *more]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def said(command: Iterable[str], seconds: float = 120) -> Said:
    """Runs it."""
    # qemu hands semihosting's output to standard error
    done = subprocess.run(
        list(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout
    found = dict(line.split() for line in done.stdout.splitlines())
    return Said(*(int(found[key], 16) for key in ("crc", "instructions", "bytes")))
