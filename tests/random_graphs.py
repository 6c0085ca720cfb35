"""Random NIR graphs of every node type that the compiler takes, as a hypothesis strategy.

Structure and small choices are drawn, so that hypothesis can shrink them; arrays come from one drawn seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import nir
import numpy as np
from hypothesis import strategies as st

from dalif_deploy.hw_models.compiler import ScaleRule, compile_graph
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.graph.node_shapes import output_shape
from dalif_deploy.hw_models.samples.encode import encode_input
from tests.fuzz_case import Case, Refused

SPIKING = ("LIF", "IF", "CubaLIF", "Threshold")
ANALOG = ("LI", "I", "CubaLI")
LINEAR = ("Affine", "Linear", "Scale", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Delay")
FEATURES = {
    *(*SPIKING, *ANALOG, *LINEAR),
    *(
        "skip",
        "loop",
        "loop with Delay",
        "fan-in before a linear node",
        "nested",
        "linear readout",
        "two inputs",
        "two outputs",
    ),
    *("lower bound", "start", "refractory", "count of spikes"),
    *("soft reset", "nonzero reset", "nonzero leak", "one value a channel", "one value a neuron", "one scalar"),
    *("padding same", "padding valid", "dilation", "groups", "stride", "spikes", "graded", "bias", "loihi1", "loihi2"),
    *("calibrated", "one scale a channel", "data beyond the range", *(f"{bits} bits" for bits in range(1, 9))),
}


def _pick(draw, *options):
    return draw(st.sampled_from(options))


def _often(draw, of: int) -> bool:
    """True once in `of`; shrinks to False."""
    return draw(st.integers(0, of - 1)) == of - 1


@dataclass
class _Scope:
    """A graph under construction: the whole one, or a nested one."""

    nodes: dict[str, nir.NIRNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def graph(self, rng: np.random.Generator) -> nir.NIRGraph:
        """In an order of nodes and edges that says nothing."""
        names = [list(self.nodes)[i] for i in rng.permutation(len(self.nodes))]
        edges = [self.edges[i] for i in rng.permutation(len(self.edges))]
        return nir.NIRGraph({n: self.nodes[n] for n in names}, edges, type_check=False)


class _Builder:
    def __init__(self, draw, rng: np.random.Generator, chip: str, mode: str, dt: float):
        self.draw, self.rng, self.chip, self.mode, self.dt = draw, rng, chip, mode, dt
        self.features: set[str] = {chip, mode}
        self.top = _Scope()
        self.shapes: dict[str, tuple[int, ...]] = {}  # of what can be a source: inputs and spiking layers
        self.level: dict[str, int] = {}
        self.unit: dict[str, float] = {}  # typical size of what a source sends
        self.open: dict[str, tuple[int, ...]] = {}  # layers that can be reached by more edges, and their shape

    # arrays

    def weight(self, *shape: int, unit: float = 1.0) -> np.ndarray:
        fan_in = int(np.prod(shape[1:]))
        weight = self.rng.normal(size=shape) * 1.4 / np.sqrt(fan_in) / unit
        kind = _pick(self.draw, "normal", "whole", "positive", "negative", "outlier", "sparse", "zero row")
        if kind == "whole":
            weight = self.rng.integers(-3, 4, shape) / unit
        elif kind in ("positive", "negative"):
            weight = np.abs(weight) * (1 if kind == "positive" else -1)
        elif kind == "outlier":
            weight.flat[self.rng.integers(weight.size)] *= 10 ** self.rng.uniform(1, 4)
        elif kind == "sparse":
            weight *= self.rng.random(shape) < 0.3
        elif kind == "zero row":
            weight[0] = 0
        return weight

    def parameter(self, shape: tuple[int, ...], low: float, high: float, *, neuron: bool = True) -> np.ndarray:
        """One value for all, a channel, or (if allowed) a neuron; always of the full shape."""
        kinds = ["layer", "channel", "neuron"] if neuron else ["layer", "channel"]
        kind = _pick(self.draw, *kinds)
        own = {"layer": (), "channel": (shape[0], *[1] * (len(shape) - 1)), "neuron": shape}[kind]
        if kind != "layer":
            self.features.add(f"one value a {'neuron' if len(shape) == 1 else kind}")
        return np.broadcast_to(self.rng.uniform(low, high, own), shape).copy()

    # nodes

    def linear(self, kind: str, shape: tuple[int, ...], unit: float) -> tuple[nir.NIRNode, tuple[int, ...]] | None:
        """A linear node for an input of `shape`, and its output shape; None where it does not fit."""
        draw, rng, marks = self.draw, self.rng, set()
        if kind in ("Affine", "Linear"):
            out = draw(st.integers(1, 8))
            weight = self.weight(out, shape[0], unit=unit)
            node = nir.Linear(weight) if kind == "Linear" else nir.Affine(weight, rng.normal(size=out) * 0.3)
        elif kind == "Scale":
            node = nir.Scale(self.parameter(shape, -1.5, 1.5))
        elif kind == "Delay":
            steps = draw(st.integers(0, 3))
            each = _often(draw, 3)
            delays = rng.integers(0, steps + 1, shape) if each else np.full(shape, steps)
            node = nir.Delay(delays * self.dt)
        elif kind == "Flatten":
            node = nir.Flatten({"input": np.array(shape)}, 0, -1)
        elif kind in ("SumPool2d", "AvgPool2d"):
            size, stride = rng.integers(1, 4, 2), rng.integers(1, 4, 2)
            padding = np.array([_pick(draw, 0, 0, 1)] * 2) * (size > 1)
            node = getattr(nir, kind)(size, stride, padding)
        else:
            axes = len(shape) - 1
            groups = _pick(draw, 1, 1, shape[0])
            out = groups * draw(st.integers(1, 3))
            kernel = rng.integers(1, 4, axes)
            stride, dilation = ([_pick(draw, 1, 1, 2, 3) for _ in range(axes)] for _ in range(2))
            padding = _pick(draw, "numbers", "same", "valid")
            marks |= {f"padding {padding}"} if padding != "numbers" else set()
            if padding == "same":
                stride = [1] * axes
            elif padding == "numbers":
                padding = tuple(int(p) for p in rng.integers(0, 3, axes))
                padding = padding if axes == 2 else padding[0]
            marks |= {n for n, used in zip(("stride", "dilation", "groups"), (max(stride) > 1, max(dilation) > 1, groups > 1)) if used}  # noqa: B905, E501 # fmt: skip
            weight = self.weight(out, shape[0] // groups, *kernel, unit=unit)
            bias = rng.normal(size=out) * _pick(draw, 0.0, 0.3)
            if axes == 2:
                node = nir.Conv2d(shape[1:], weight, tuple(stride), padding, tuple(dilation), groups, bias)
            else:
                node = nir.Conv1d(shape[1], weight, stride[0], padding, dilation[0], groups, bias)
        try:
            result = output_shape("", node, [shape])
        except UserError:
            return None
        self.features |= {kind, *marks}
        return node, result

    def neuron(self, kind: str, shape: tuple[int, ...]) -> nir.NIRNode:
        draw, dt = self.draw, self.dt
        flat = len(shape) == 1
        gain = self.parameter(shape, 0.6, 1.2, neuron=flat) * _pick(draw, 1.0, 1.0, -1.0, 1e3, 1e-3)
        size = np.abs(gain).max()
        beta = self.parameter(shape, 0.0, _pick(draw, 0.9, 0.9995), neuron=flat)
        tau = dt / (1 - beta)
        soft = self.chip == "loihi2" and kind not in ("Threshold", *ANALOG) and _often(draw, 4)
        threshold = self.parameter(shape, 0.1, 1.0) * size * _pick(draw, 1.0, 1.0, 0.0, 2.5)
        reset = np.zeros(shape)
        if not soft and kind in ("LIF", "IF", "CubaLIF") and _often(draw, 3):
            reset = threshold - self.parameter(shape, 0.5, 2.0) * size
            self.features.add("nonzero reset")
        leak = np.zeros(shape)
        if kind in ("LIF", "LI", "CubaLIF", "CubaLI") and _often(draw, 3):
            leak = self.parameter(shape, -0.5, 0.5) * size
            self.features.add("nonzero leak")
        r = gain * tau / dt
        if kind in ("CubaLIF", "CubaLI"):
            syn_beta = self.parameter(shape, 0.0, 0.95, neuron=flat)
            tau_syn = dt / (1 - syn_beta)
            synapse = {"tau_syn": tau_syn, "tau_mem": tau, "w_in": self.parameter(shape, 0.5, 1.0, neuron=flat) * tau_syn / dt}  # noqa: E501 # fmt: skip
        parameters = {
            "LIF": lambda: {"tau": tau, "r": r, "v_leak": leak, "v_threshold": threshold, "v_reset": reset},
            "IF": lambda: {"r": gain / dt, "v_threshold": threshold, "v_reset": reset},
            "CubaLIF": lambda: synapse | {"r": r, "v_leak": leak, "v_threshold": threshold, "v_reset": reset},
            "Threshold": lambda: {"threshold": np.abs(threshold) / size},
            "LI": lambda: {"tau": tau, "r": r, "v_leak": leak},
            "I": lambda: {"r": gain / dt},
            "CubaLI": lambda: synapse | {"r": r, "v_leak": leak},
        }[kind]()
        if all((value == value.flat[0]).all() for value in parameters.values()) and _often(draw, 2):
            parameters = {key: np.array(value.flat[0]) for key, value in parameters.items()}
            self.features.add("one scalar")
        node = getattr(nir, kind)(**parameters)
        node.metadata = {"reset": "subtract"} if soft else {}
        if self.chip == "loihi2" and kind != "Threshold":
            positive = bool((threshold > reset).all())
            node.metadata |= self.options(shape, reset, size, fires=kind not in ANALOG, positive=positive)
        self.features |= {kind, "soft reset"} if soft else {kind}
        return node

    def options(self, shape: tuple[int, ...], reset: np.ndarray, size: float, *, fires: bool, positive: bool) -> dict:
        """What NIR has no word for, in metadata."""
        made = {}
        if _often(self.draw, 4):
            made["v_min"] = _pick(
                self.draw, 0, float(reset.min()) - 0.3 * size, reset - self.parameter(shape, 0.0, 1.0) * size
            )
            if np.any(made["v_min"] > reset):
                made["v_min"] = reset.copy()
            self.features.add("lower bound")
        if _often(self.draw, 4):
            made["v_start"] = _pick(self.draw, 0.4 * size, reset + self.parameter(shape, -1.0, 1.0) * size)
            self.features.add("start")
        if fires and _often(self.draw, 4):
            made["refractory"] = _pick(self.draw, 1, 3)
            self.features.add("refractory")
        if fires and positive and _often(self.draw, 4):
            made["max_spikes"] = _pick(self.draw, 2, 7)
            self.features.add("count of spikes")
        return made

    # structure

    def add_input(self, name: str, shape: tuple[int, ...], unit: float) -> None:
        self.top.nodes[name] = nir.Input({"input": np.array(shape)})
        self.shapes[name], self.level[name], self.unit[name] = shape, 0, unit

    def chain(self, scope: _Scope, label: str, start: str, shape: tuple[int, ...], unit: float, *, delays: bool):
        """One to three linear nodes behind `start`; gives the last one and its shape."""
        for position in range(self.draw(st.integers(0, 3))):
            kinds = {
                1: ("Affine", "Linear", "Scale", "Delay"),
                2: ("Conv1d", "Flatten", "Scale", "Delay"),
                3: ("Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Scale", "Delay"),
            }[len(shape)]
            made = self.linear(_pick(self.draw, *(k for k in kinds if delays or k != "Delay")), shape, unit)
            if made is None:
                continue
            name = f"{label}{'abc'[position]}"
            scope.nodes[name], shape = made
            scope.edges.append((start, name))
            if not isinstance(made[0], nir.Flatten | nir.Delay | nir.Scale):
                unit = 1.0
            start = name
        return start, shape

    def bridge(self, label: str, source: str, target: str, shape: tuple[int, ...], delay: int | None = None) -> bool:
        """One more way from a source to a layer, if one linear node can make its shape."""
        name, own, nodes = label, self.shapes[source], self.top.nodes
        unit = self.unit[source]
        if delay is not None:
            nodes[f"{label}d"] = nir.Delay(np.full(own, delay * self.dt))
            self.top.edges.append((source, f"{label}d"))
            source = f"{label}d"
            self.features.add("Delay")
        if len(shape) == 1:
            if len(own) > 1:
                nodes[f"{label}f"] = nir.Flatten({"input": np.array(own)}, 0, -1)
                self.top.edges.append((source, f"{label}f"))
                source = f"{label}f"
            nodes[name] = nir.Linear(self.weight(shape[0], int(np.prod(own)), unit=unit))
        elif len(own) == len(shape) and own[1:] == shape[1:]:
            size = _pick(self.draw, 1, 3)
            weight = self.weight(shape[0], own[0], *[size] * (len(own) - 1), unit=unit)
            zero = np.zeros(shape[0])
            nodes[name] = (
                nir.Conv2d(own[1:], weight, 1, (size // 2,) * 2, 1, 1, zero)
                if len(own) == 3
                else nir.Conv1d(own[1], weight, 1, size // 2, 1, 1, zero)
            )
        else:
            if delay is not None:
                del nodes[f"{label}d"]
                self.top.edges.pop()
            return False
        self.features.add(type(nodes[name]).__name__)
        self.top.edges += [(source, name), (name, target)]
        return True

    def add_layer(self, index: int, *, last: bool) -> None:
        draw = self.draw
        label = f"l{index}"
        sources = [s for s in reversed(self.shapes) if self.mode != "bias" or index == 0 or s not in ("x0", "x1")]
        source = _pick(draw, *sources)
        host = self.mode == "bias" and source in ("x0", "x1")
        kinds = (*SPIKING, *ANALOG) if last and index else SPIKING
        kind = _pick(draw, *(k for k in kinds if not host or not k.startswith("Cuba")))
        shape = self.shapes[source]
        nested = _often(draw, 4)
        scope, start = (_Scope({"input": nir.Input({"input": np.array(shape)})}), "input") if nested else (self.top, source)  # noqa: E501 # fmt: skip
        end, made = self.chain(scope, label, start, shape, self.unit[source], delays=not host)
        scope.nodes[label] = self.neuron(kind, made)
        scope.edges.append((end, label))
        if not nested and end != start and _often(draw, 5):
            self._join(label, source, shape)
        spiking = kind in SPIKING
        if spiking and len(made) == 1 and _often(draw, 3):
            scope.nodes[f"{label}rec"] = nir.Linear(self.weight(made[0], made[0]))
            scope.edges += [(label, f"{label}rec"), (f"{label}rec", label)]
            self.features.add("loop")
        name = label
        if nested:
            scope.nodes["output"] = nir.Output({"output": np.array(made)})
            scope.edges.append((label, "output"))
            name = f"g{index}"
            self.top.nodes[name] = scope.graph(self.rng)
            self.top.edges.append((source, name))
            self.features.add("nested")
        level = self.level[source] + 1
        if not nested and not host:
            others = [s for s in self.shapes if s != source and (self.mode != "bias" or s not in ("x0", "x1"))]
            if others and _often(draw, 2):
                other = _pick(draw, *others)
                if self.bridge(f"{label}skip", other, label, made):
                    self.features.add("skip")
                    level = max(level, self.level[other] + 1)
        if spiking:
            self.shapes[name], self.level[name], self.unit[name] = made, level, 1.0
        if not nested and not host:
            self.open[label] = made
            self.level[label] = level
        if spiking and self.open and _often(draw, 3):
            target = _pick(draw, *self.open)
            delay = max(0, level - self.level[target]) + draw(st.integers(0, 2))
            delay = delay if delay or _often(draw, 2) else None
            if self.bridge(f"{label}back", name, target, self.open[target], delay):
                self.features.add("loop" if delay is None else "loop with Delay")

    def _join(self, label: str, source: str, shape: tuple[int, ...]) -> None:
        """A second source into the first linear node of a layer."""
        first = next((b for a, b in self.top.edges if a == source and b.startswith(label)), None)
        others = [s for s in self.shapes if s != source and self.shapes[s] == shape]
        if first is None or not others or self.mode == "bias":
            return
        self.top.edges.append((_pick(self.draw, *others), first))
        self.features.add("fan-in before a linear node")

    def add_outputs(self) -> None:
        """Behind what nothing follows: the neuron itself, or a linear readout."""
        followed = {a for a, _ in self.top.edges}
        ends = [n for n in self.top.nodes if n not in followed and n not in ("x0", "x1")]
        if not ends or _often(self.draw, 4):
            ends = [*ends, *[n for n in self.shapes if n not in ("x0", "x1", *ends)][-1:]]
        for index, end in enumerate(ends):
            shape = self.shapes.get(end)
            if shape is not None and _often(self.draw, 2):
                linear, shape = self.chain(self.top, f"r{index}", end, shape, 1.0, delays=True)
                self.features |= {"linear readout"} if linear != end else set()
                end = linear
            self.top.nodes[f"y{index}"] = nir.Output({"output": np.array(shape or (1,))})
            self.top.edges.append((end, f"y{index}"))
        self.features |= {"two outputs"} if len(ends) > 1 else set()


@dataclass
class GraphCase:
    """A graph and how it is compiled."""

    graph: nir.NIRGraph
    options: dict
    data: dict[str, np.ndarray]
    features: set[str]

    def compiled(self) -> Case | Refused:
        """Through the compiler, which may refuse it."""
        try:
            network = compile_graph(self.graph, **self.options).network
            encoded = encode_input(network, self.data, steps=self.options["steps"])
        except UserError as error:
            return Refused(str(error), frozenset(self.features))
        return Case(network, encoded, frozenset(self.features), compiled=True)


@st.composite
def graph_cases(draw, steps: int, samples: int) -> GraphCase:
    """Graphs that have not gone through the compiler yet, with data of `samples` x `steps`."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    chip = _pick(draw, "loihi2", "loihi1")
    mode = _pick(draw, "spikes", "bias", *(["graded"] * 2 if chip == "loihi2" else []))
    dt = _pick(draw, 1e-4, 1e-3)
    low, high = _pick(draw, (0.0, 1.0), (-1.0, 1.0), (0.0, 100.0), (-3.0, 0.5)) if mode != "spikes" else (0.0, 1.0)
    builder = _Builder(draw, rng, chip, mode, dt)
    count = 1 + (mode != "bias" and _often(draw, 4))
    for index in range(count):
        axes = _pick(draw, 1, 2, 3)
        shape = tuple(int(n) for n in (rng.integers(1, 13) if axes == 1 else rng.integers(1, 4), *rng.integers(3, 8, axes - 1)))  # noqa: E501 # fmt: skip
        builder.add_input(f"x{index}", shape, max(abs(low), abs(high)))
    layers = draw(st.integers(1, 4))
    for index in range(layers):
        builder.add_layer(index, last=index == layers - 1)
    for name in ("x0", "x1")[:count]:
        if any(a == name for a, _ in builder.top.edges):
            continue
        if "l0" not in builder.open or not builder.bridge(f"{name}in", name, "l0", builder.open["l0"]):
            del builder.top.nodes[name], builder.shapes[name]
    builder.add_outputs()
    builder.features |= {"two inputs"} if len([n for n in ("x0", "x1") if n in builder.top.nodes]) > 1 else set()
    bits = draw(st.integers(1, 8))
    builder.features.add(f"{bits} bits")
    data = {}
    for name in [n for n in ("x0", "x1") if n in builder.top.nodes]:
        moving = mode != "bias" and not _often(draw, 3)
        full = (samples, *((steps,) if moving else ()), *builder.shapes[name])
        if mode == "spikes":
            data[name] = (rng.random(full) < 0.5).astype(np.float64)
            continue
        beyond = 1.3 if mode == "graded" and _often(draw, 3) else 1.0
        builder.features |= {"data beyond the range"} if beyond > 1 else set()
        data[name] = rng.uniform(low * beyond, high * beyond, full)
    options = {"chip": chip, "steps": steps, "dt": dt, "input_mode": mode, "input_range": (low, high), "weight_bits": bits}  # noqa: E501 # fmt: skip
    rule = _pick(draw, "worst", "worst", "percentile", "error")
    group = _pick(draw, "layer", "channel")
    options["scale_rule"] = ScaleRule(rule, group)
    if rule != "worst":
        options["calibration"] = data
        builder.features.add("calibrated")
    builder.features |= {"one scale a channel"} if group == "channel" else set()
    return GraphCase(builder.top.graph(rng), options, data, builder.features)
