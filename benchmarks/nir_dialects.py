"""How simulators read the same NIR graph: measured from their spikes, written as docs/nir-dialects.md.

    python benchmarks/nir_dialects.py [--write docs/nir-dialects.md]

Every reader gets the same graphs with one neuron and the same inputs. A verdict is what all candidate update rules have
in common that give the reader's spikes; graphs and rules are in this folder. Only the last section, on what the writers
leave out, is written by hand: tests/test_peer_graphs.py holds it.
"""

from __future__ import annotations

import argparse
import copy
import logging
import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import update_rules
from dialect_readers import LEVELS, READERS, chip, ours, versions
from update_rules import Rule

from dalif_deploy.hw_models.errors import UserError

STEPS, PER_AMPLITUDE = 40, 6
# sums of these on a grid of 1/127 never meet a threshold of 1: ties have a table of their own
AMPLITUDES = (0.31, 1.03, 3.07, 10.3, 41.0, 151.0, 1030.0, 10300.0, 103000.0)
WRITERS = [
    [
        "Norse `to_nir`",
        "multiplies time constants by dt although they are in seconds already",
        "write with `dt=1`, or read with `--dt` of its square",
    ],
    [
        "Norse `to_nir`",
        "w_in of LIFCell; r of IAFCell; v_reset; Flatten and pooling (written as None)",
        "`w_in = tau_syn/dt`, `r = 1/dt`, `v_reset`",
    ],
    [
        "snnTorch `export_to_nir`",
        "reset by subtraction (its default); the reset's delay of one step",
        'train with `reset_mechanism="zero", reset_delay=False`',
    ],
    [
        "SpikingJelly `export_to_nir`",
        "that it fires at the threshold, not only above it",
        "`v_threshold = nextafter(v_threshold, 0)`",
    ],
    [
        "sinabs `to_nir`",
        "exponential decay; `norm_input`; several spikes per step; reset by subtraction",
        "`tau = 1/(1 - exp(-1/tau))`; `r = tau` without `norm_input`; `--dt 1`; train with SingleSpike, MembraneReset",
    ],
    [
        "Rockpool 3.1 `to_nir` (tried by hand, not in the test)",
        "exponential decay; several spikes per step; reset by subtraction; the Input keeps the axes of batch and time",
        "nothing helps: NIR cannot express several spikes per step, so the graph is read as it stands",
    ],
]
REPRODUCED = 0.95  # of the traces: float32 decides near ties otherwise, the more the larger the input
ALIKE = 0.005  # rules that reproduce nearly as many traces as the best are not told apart from it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="file to write; printed without it")
    path = parser.parse_args().write
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    text = document()
    if path is None:
        print(text)
    else:
        path.write_text(text, encoding="utf-8")


def document() -> str:
    lif, cuba, iff, rest, ties, nodes = lif_table(), cuba_table(), if_table(), rest_table(), tie_table(), node_table()
    writers = markdown(["Writer", "missing or wrong in the file", "what to change in the graph"], WRITERS)
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    return f"""# How simulators read the same NIR graph

Written by `python benchmarks/nir_dialects.py --write docs/nir-dialects.md`; do not edit.
{packages}.

NIR describes a neuron by differential equations, a reset to v_reset, and a spike above the threshold. It does not
fix dt, the order of operations within a step, or the initial membrane. So two simulators can read the same file
differently.

**What was measured.** Every reader gets the same graph of one neuron and the same inputs. Each uses its own default
time step. Its spike trains are then compared with those of many candidate update rules (`benchmarks/update_rules.py`).

**How to read the tables.** A cell shows what all rules that reproduce the spike trains have in common. "a or b" means
that the traces cannot tell the two apart. "closest" means that even the best rule reproduces less than
{REPRODUCED:.0%} of the traces.

`reference` is `hw_models/reference`, against which every exported network is judged. `loihi2 integers` is the compiled
network, with its 12-bit decays, in the simulator that matches Lava bit for bit.

## LIF

{lif}

## CubaLIF

{cuba}

## IF

{iff}

## v_leak, v_reset and the initial membrane

{rest}

## Exactly at the threshold

{ties}

## Node types

Each reader's output is compared with that of the reference, which reads all of these nodes. "gives its input back"
means that the reader dropped the node silently.

{nodes}

## What the writers leave out

This table is written by hand, and `tests/test_peer_graphs.py` checks it: as written, the graph differs from the
framework's own simulator; with the change in the last column, it agrees.

{writers}

`nir.write` 1.0 refuses the graphs of Norse and sinabs, because of scalar parameters and convolutions without an input
shape. `dalif_deploy.write_nir(path, graph)` writes them. NIR has no field for a reset by subtraction; it is read from
the node's metadata, `reset = "subtract"`.
"""


# probing ----------------------------------------------------------------------------------------------------------


@dataclass
class Probe:
    """A reader's spikes on one graph, for each amplitude of the input that it took."""

    node: nir.NIRNode
    traces: list[tuple[np.ndarray, np.ndarray]]

    def match(self, rule: Rule) -> list[bool]:
        return [
            bool((expected == spikes).all())
            for x, seen in self.traces
            for expected, spikes in zip(update_rules.run(rule, self.node, x), seen, strict=True)
        ]


def chain(*nodes: nir.NIRNode, shape: tuple[int, ...] = (1,), out: tuple[int, ...] = (1,)) -> nir.NIRGraph:
    names = ["input", *[f"l{k}" for k in range(len(nodes) - 1)], "n", "output"]
    all_nodes = [nir.Input({"input": np.array(shape)}), *nodes, nir.Output({"output": np.array(out)})]
    edges = list(pairwise(names))
    return nir.NIRGraph(dict(zip(names, all_nodes, strict=True)), edges, type_check=False)


def one_neuron(node: nir.NIRNode) -> nir.NIRGraph:
    unit = nir.Affine(np.ones((1, 1), dtype=np.float32), np.zeros(1, dtype=np.float32))
    return chain(unit, copy.deepcopy(node))


def inputs(amplitude: float) -> np.ndarray:
    rng = np.random.default_rng(int(amplitude * 10))
    levels = rng.integers(-LEVELS // 3, LEVELS + 1, (PER_AMPLITUDE, STEPS))
    levels[0, 0] = LEVELS
    return (levels * (amplitude / LEVELS)).astype(np.float32)


def probe(read, node: nir.NIRNode) -> Probe | str:
    """What the reader gives, or why it does not."""
    traces, reason = [], "never fires"
    for amplitude in AMPLITUDES:
        x = inputs(amplitude)
        try:
            seen = read(one_neuron(node), x)
        except Exception as error:
            reason = refusal(read, error)
            continue
        if np.array_equal(seen, x):
            return "gives its input back"
        traces.append((x.astype(float), seen))
    if not any(0.02 < (seen > 0).mean() < 0.98 for _, seen in traces):
        return reason
    return Probe(node, traces)


def refusal(read, error: Exception) -> str:
    """The short reason. Any fault of a foreign reader is a finding; of ours, only what it refuses in words."""
    if read in (ours, chip) and not isinstance(error, UserError):
        raise error
    text = " ".join(str(error).split()).replace("|", "/")
    text = text if len(text) <= 90 else text[:87] + "..."
    return f"{type(error).__name__}: {text}"


def fitting(probes: list[Probe], rules: list[Rule]) -> tuple[list[Rule], float]:
    """The rules that reproduce the most traces, and the share that the best does."""
    shares = [float(np.mean([hit for p in probes for hit in p.match(rule)])) for rule in rules]
    best = max(shares)
    return [rule for rule, share in zip(rules, shares, strict=True) if share >= best - ALIKE], best


def verdict_row(name: str, probes: dict[str, Probe | str], rules: list[Rule], attributes: list[str]) -> list[str]:
    taken = [p for p in probes.values() if isinstance(p, Probe)]
    refused = "; ".join(f"{graph}: {why}" for graph, why in probes.items() if isinstance(why, str)) or "-"
    if not taken:
        return [name, *["-"] * (len(attributes) + 1), refused]
    best, share = fitting(taken, rules)
    cells = [" or ".join(dict.fromkeys(word_of(getattr(rule, a)) for rule in best)) for a in attributes]
    if share < REPRODUCED:
        cells = [f"closest: {cell}" for cell in cells]
    return [name, *cells, f"{share:.1%}", refused]


def word_of(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def neuron_table(graphs: dict[str, nir.NIRNode], columns: dict[str, str]) -> str:
    rules = list(update_rules.candidates(next(iter(graphs.values()))))
    rows = []
    for name, _, read in READERS:
        probes = {graph: probe(read, node) for graph, node in graphs.items()}
        rows.append(verdict_row(name, probes, rules, list(columns.values())))
    asked = "Graphs: " + "; ".join(graphs) + "."
    return asked + "\n\n" + markdown(["Reader", *columns, "traces reproduced", "refused"], rows)


# tables -----------------------------------------------------------------------------------------------------------


def f32(value: float) -> np.ndarray:
    return np.array([value], dtype=np.float32)


def lif(
    tau: float = 4e-3, r: float = 1.0, v_leak: float = 0.0, v_reset: float = 0.0, threshold: float = 1.0
) -> nir.LIF:
    return nir.LIF(tau=f32(tau), r=f32(r), v_leak=f32(v_leak), v_threshold=f32(threshold), v_reset=f32(v_reset))


def integrator(r: float = 1.0, v_reset: float = 0.0) -> nir.IF:
    return nir.IF(r=f32(r), v_threshold=f32(1.0), v_reset=f32(v_reset))


def cuba(w_in: float, r: float, tau_syn: float, tau_mem: float) -> nir.CubaLIF:
    return nir.CubaLIF(
        tau_syn=f32(tau_syn),
        tau_mem=f32(tau_mem),
        r=f32(r),
        v_leak=f32(0.0),
        v_threshold=f32(1.0),
        v_reset=f32(0.0),
        w_in=f32(w_in),
    )


STEP_COLUMNS = {
    "decay": "decay",
    "dt": "dt",
    "input times": "gain",
    "spike decided": "decided",
    "reset": "reset",
    "when": "reset_when",
}


def lif_table() -> str:
    graphs = {f"tau {tau:g}, r {r:g}": lif(tau, r) for tau, r in ((8e-4, 8.0), (4e-3, 1.0), (4e-3, 7.0), (4.0, 1.0))}
    return neuron_table(graphs, STEP_COLUMNS)


def cuba_table() -> str:
    # the first is w_in = tau_syn/dt and r = tau_mem/dt at 1e-4, which is all that some take
    graphs = {
        f"tau_syn {ts:g}, tau_mem {tm:g}, w_in {w:g}, r {r:g}": cuba(w, r, ts, tm)
        for ts, tm, w, r in ((6e-4, 8e-4, 6.0, 8.0), (3e-3, 5e-3, 1.0, 50.0), (3e-3, 5e-3, 2.0, 3.0))
    }
    columns = {"decay": "decay", "dt": "dt", "synapse's input times": "synapse_gain", "current times": "gain"}
    return neuron_table(graphs, {**columns, "order": "order", "reset": "reset", "when": "reset_when"})


def if_table() -> str:
    graphs = {f"r {r:g}": integrator(r) for r in (1.0, 1e4, 3.0)}
    columns = {k: v for k, v in STEP_COLUMNS.items() if k != "decay"}
    return neuron_table(graphs, {"leak": "decay", **columns, "lowest membrane": "lowest"})


def rest_table() -> str:
    """The LIF rule of each reader, found without rest and reset values, then with them, a graph at a time."""
    plain = [lif(8e-4, 8.0), lif(4e-3, 1.0), lif(4.0, 1.0)]
    shifted = {
        "v_leak = v_reset": dict(v_leak=0.3, v_reset=0.3),
        "v_reset alone": dict(v_reset=-0.4),
        "v_leak alone": dict(v_leak=0.3),
    }
    attributes = ["v_leak", "reset", "start"]
    rows = []
    for name, _, read in READERS:
        taken = [p for p in (probe(read, node) for node in plain) if isinstance(p, Probe)]
        rules, _ = fitting(taken, list(update_rules.candidates(plain[0])))
        # rules that agree on LIFs without rest differ in words only: one of each kind of reset is enough
        kinds = list({(rule.reset, rule.decided, rule.reset_when): rule for rule in rules}.values())
        rules = [way for rule in kinds for way in update_rules.at_rest(rule)]
        probes = {}
        for title, values in shifted.items():
            # seconds or steps, whichever the reader fires on
            for tau in (4e-3, 4.0):
                probes[f"{title}, tau {tau:g}"] = probe(read, lif(tau, 1.0, **values))
        rows.append(verdict_row(name, probes, rules, attributes))
    header = ["Reader", "v_leak", "reset", "initial membrane", "traces reproduced", "refused"]
    return markdown(header, rows)


def tie_table() -> str:
    """A membrane exactly on the threshold: 0 on a threshold of 0, and an IF's whole number on a whole threshold.

    It says something only where a little less does not fire and a little more does.
    """
    rows = []
    for name, _, read in READERS:
        cells = []
        for node, value in ((lif(threshold=0.0), 0.0), (integrator(1.0), 1.0), (integrator(1e4), 1.0)):
            x = np.array([[value - 0.01], [value], [value + 0.01]], dtype=np.float32)
            try:
                below, on, above = (read(one_neuron(node), x[k : k + 1])[0, 0] > 0 for k in range(3))
            except Exception as error:
                cells.append(refusal(read, error))
                continue
            cells.append((">=" if on else ">") if above and not below else "threshold is elsewhere")
        rows.append([name, *cells])
    return markdown(["Reader", "LIF, 0 on 0", "IF r = 1, input 1 on 1", "IF r = 1e4, input 1 on 1"], rows)


def node_table() -> str:
    """Every node type behind an Affine that spreads one input over the shape needed."""
    others = [reader for reader in READERS if reader[2] not in (ours, chip)]
    w = np.random.default_rng(0)
    ones = lambda *shape: np.ones(shape, dtype=np.float32)  # noqa: E731
    normal = lambda *shape: w.normal(size=shape).astype(np.float32)  # noqa: E731
    two = np.array([2, 2])
    nodes: dict[str, list[nir.NIRNode]] = {
        "Affine": [nir.Affine(ones(1, 1) * 2, ones(1))],
        "Linear": [nir.Linear(ones(1, 1) * 2)],
        "Linear 1 to 2 to 1": [nir.Linear(normal(2, 1)), nir.Linear(normal(1, 2))],
        "Scale": [nir.Scale(ones(1) * 2)],
        "Delay": [nir.Delay(ones(1) * 2e-4)],
        "Threshold": [nir.Threshold(ones(1))],
        "I": [nir.I(ones(1) * 1e3)],
        "LI": [nir.LI(ones(1) * 4e-3, ones(1), ones(1) * 0)],
        "CubaLI": [nir.CubaLI(ones(1) * 4e-3, ones(1) * 3e-3, ones(1), ones(1) * 0)],
    }
    image = nir.Input({"input": np.array([1, 4, 4])})
    spatial = {
        "Conv1d": (nir.Conv1d(4, normal(1, 1, 3), 1, 1, 1, 1, normal(1)), (1, 4)),
        "Conv2d": (nir.Conv2d((4, 4), normal(1, 1, 3, 3), 1, 1, 1, 1, normal(1)), (1, 4, 4)),
        "Conv2d 'same'": (nir.Conv2d((4, 4), normal(1, 1, 3, 3), 1, "same", 1, 1, normal(1)), (1, 4, 4)),
        "SumPool2d": (nir.SumPool2d(two, two, two * 0), (1, 4, 4)),
        "AvgPool2d": (nir.AvgPool2d(two, two, two * 0), (1, 4, 4)),
        "Flatten": (nir.Flatten(image.input_type, 0, -1), (1, 4, 4)),
    }
    rows = []
    for title, chained in nodes.items():
        graph = lambda chained=chained: chain(*copy.deepcopy(chained))  # noqa: E731
        rows.append([title, *[_node_cell(read, graph, (1,)) for _, _, read in others]])
    for title, (node, shape) in spatial.items():
        graph = lambda node=node, shape=shape: chain(copy.deepcopy(node), shape=shape)  # noqa: E731
        rows.append([title, *[_node_cell(read, graph, shape) for _, _, read in others]])
    return markdown(["Node", *[name for name, _, _ in others]], rows)


def _node_cell(read, graph, shape: tuple[int, ...]) -> str:
    x = np.random.default_rng(1).random((2, 5, *shape)).astype(np.float32)
    x = x[..., 0] if shape == (1,) else x
    try:
        seen = read(graph(), x)
    except Exception as error:
        return refusal(read, error)
    if seen.size == x.size and np.allclose(seen.reshape(x.shape), x) and "Flatten" not in str(graph().nodes):
        return "gives its input back"
    wanted = ours(graph(), x)
    return "as the reference" if seen.shape == wanted.shape and np.allclose(seen, wanted, atol=1e-5) else "other result"


if __name__ == "__main__":
    main()
