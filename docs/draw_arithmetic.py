"""Draws the pictures of docs/arithmetic.md from the code itself: `python docs/draw_arithmetic.py`.

Constants are chip_network's, the times those of `ChipNetwork.depths()`, the membrane the simulator's.
`tests/test_docs_examples.py` fails when a picture is not what this draws.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dalif_deploy.hw_models.chip_network import form as chip
from dalif_deploy.hw_models.samples.recording import EncodedInput
from dalif_deploy.hw_models.simulator import simulate

FOLDER = Path(__file__).parent
STEPS = 4  # of a sample, in the picture of time
STYLE = (
    "<style>text{font:13px sans-serif;fill:#222}.small{font-size:11px;fill:#555}.mono{font:13px monospace}"
    ".box{fill:#eef3fb;stroke:#4a6fa5}.line{stroke:#444;fill:none;stroke-width:1.4}</style>"
)


def scalar(value: int) -> np.ndarray:
    """A register that all neurons share."""
    return np.array(value)


def population(name: str, **registers: int) -> chip.Population:
    """One neuron; `registers` not given are those of a plain LIF neuron."""
    values = {"du": chip.NO_CURRENT_FILTER, "dv": 1024, "vth": 100, "bias_mant": 0, "bias_exp": 0, **registers}
    return chip.Population(name, (1,), **{k: scalar(v) for k, v in values.items()})


def network(names: list[str], connections: list[tuple[str, str]], steps: int, **registers: int) -> chip.ChipNetwork:
    """Single neurons with a weight of 60 between them."""
    return chip.ChipNetwork(
        chip="loihi2",
        steps=steps,
        inputs={"input": chip.ChipInput("input", (1,), "spikes")},
        populations={name: population(name, **registers) for name in names},
        projections={f"{a}-{b}": chip.Projection(f"{a}-{b}", a, b, np.array([[60]])) for a, b in connections},
        host_projections={},
        outputs={"out": chip.ChipOutput("out", names[-1], "count")},
    )


EXAMPLE_INPUT = (1, 0, 1, 1, 0, 0, 0)


def example() -> tuple[np.ndarray, np.ndarray]:
    """Membrane after each step and spikes of the neuron that the page works through."""
    net = network(["neuron"], [("input", "neuron")], len(EXAMPLE_INPUT), bias_mant=-30, bias_exp=1)
    messages = np.array(EXAMPLE_INPUT, dtype=np.int32).reshape(1, -1, 1)
    seen = simulate(net, EncodedInput(len(EXAMPLE_INPUT), 1, {"input": messages}))
    return seen.membrane["neuron"].ravel(), seen.spikes["neuron"].ravel()


def text(x: float, y: float, words: str, cls: str = "", anchor: str = "middle") -> str:
    """A line of text."""
    return f'<text x="{x}" y="{y}" class="{cls}" text-anchor="{anchor}">{words}</text>'


def svg(width: int, height: int, title: str, parts: list[str]) -> str:
    """A picture on white, so that it can be read in the dark as well."""
    arrow = (
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#444"/></marker></defs>'
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">'
    ground = f'<rect width="{width}" height="{height}" rx="6" fill="#fff"/>'
    return "\n".join((head, STYLE, arrow, ground, *parts, "</svg>")) + "\n"


def step_picture() -> str:
    """What happens to a neuron's two numbers within one step."""
    state, unity = f"&#177;2^{chip.STATE_LIMIT.bit_length() - 1}", chip.DECAY_UNITY
    threshold = 1 << chip.SYNAPSE_SHIFT
    boxes = [  # x, y, width
        (20, 60, 280, "arriving messages", f"&#931; weight &#215; 2^weight_exp &#215; message, times {threshold}"),
        (20, 190, 230, "current of the last step", f"trunc(u &#215; ({unity} &#8722; (du + 1)) / {unity})"),
        (360, 125, 130, "current u", f"wraps at {state}"),
        (360, 255, 210, "membrane of the last step", f"trunc(v &#215; ({unity} &#8722; dv) / {unity})"),
        (360, 20, 150, "bias", "bias_mant &#215; 2^bias_exp"),
        (640, 125, 165, "membrane v", f"clips at &#177;(2^{chip.STATE_LIMIT.bit_length() - 1} &#8722; 1)"),
        (870, 125, 120, "spike?", f"v &gt; vth &#215; {threshold}"),
    ]
    parts = []
    for x, y, width, title, formula in boxes:
        parts.append(f'<rect class="box" x="{x}" y="{y}" width="{width}" height="54" rx="5"/>')
        parts.append(text(x + width / 2, y + 23, title))
        parts.append(text(x + width / 2, y + 43, formula, "small"))
    arrows = [
        "M300 92 L357 136",
        "M250 205 L357 166",
        "M490 152 H637",
        "M510 47 H575 L637 134",
        "M570 272 L637 172",
        "M805 152 H867",
        "M425 179 V228 H253",
        "M722 179 V294 H573",
        "M930 179 V335 H465 V312",
    ]
    parts += [f'<path class="line" d="{d}" marker-end="url(#a)"/>' for d in arrows]
    parts.append(text(700, 352, "reset: v = 0, or v = v &#8722; threshold (subtract)", "small"))
    parts.append(text(930, 98, "to the next layer,", "small"))
    parts.append(text(930, 114, "one step later on the chip", "small"))
    return svg(1010, 366, "one step of a neuron", parts)


def time_picture() -> str:
    """Which step of which sample each layer works on, at each step of the chip."""
    names = ["layer 1", "layer 2", "layer 3"]
    ways = [("input", "layer 1"), ("layer 1", "layer 2"), ("layer 2", "layer 3"), ("layer 1", "layer 3")]
    net = network(names, ways, STEPS)
    depths = net.depths()
    colours, columns, left, cell, samples = ["#cfe3ff", "#ffe0b8", "#d5f0d0"], 15, 100, 44, 3
    parts = [text(left - 10, 32, "step of the chip", "small", "end")]
    parts += [text(left + cell * (k - 0.5), 32, str(k), "small") for k in range(1, columns + 1)]
    for row, name in enumerate(["input", *names]):
        y = 44 + row * 46
        parts.append(text(left - 10, y + 24, name, "", "end"))
        for sample in range(samples):
            for t in range(STEPS):
                k = sample * STEPS + t + 1 + depths[name]
                x = left + cell * (k - 1)
                parts.append(
                    f'<rect x="{x}" y="{y}" width="{cell - 2}" height="36" fill="{colours[sample]}" stroke="#999"/>'
                )
                parts.append(text(x + cell / 2 - 1, y + 23, f"{'ABC'[sample]}{t}", "mono"))
            if name != "input":
                x = left + cell * (sample * STEPS + depths[name]) - 1
                parts.append(f'<line x1="{x}" y1="{y - 3}" x2="{x}" y2="{y + 39}" stroke="#c0392b" stroke-width="4"/>')
    waits = net.pipeline_delay(net.projections["layer 1-layer 3"], depths)
    legend = 44 + 4 * 46 + 20
    parts.append(
        f'<line x1="{left}" y1="{legend - 12}" x2="{left}" y2="{legend + 4}" stroke="#c0392b" stroke-width="4"/>'
    )
    parts.append(text(left + 10, legend, "the layer's state is reset", "small", "start"))
    words = f"A0: step 0 of sample A. A connection from layer 1 to layer 3 waits {waits} step{'s' * (waits != 1)} more"
    parts.append(text(left + 190, legend, words, "small", "start"))
    return svg(left + cell * columns + 16, legend + 18, "samples in the pipeline", parts)


PICTURES = {"arithmetic-step.svg": step_picture, "arithmetic-time.svg": time_picture}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")
    print(*example(), sep="\n")
