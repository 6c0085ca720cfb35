"""Random ChipNetworks at the limits of their registers, as a hypothesis strategy: what no compiler would emit.

Structure and small choices are drawn, so that hypothesis can shrink them; arrays come from one drawn seed.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from dalif_deploy.hw_models.chip_network.form import (
    ChipInput,
    ChipNetwork,
    ChipOutput,
    Geometry,
    Population,
    Projection,
)
from dalif_deploy.hw_models.chip_network.geometry import spatial_output
from dalif_deploy.hw_models.samples.recording import EncodedInput
from tests.fuzz_case import Case

FEATURES = {
    *("chip: current wraps", "chip: membrane clips", "chip: readout clips", "chip: graded 24 bits", "chip: loop"),
    *("chip: delay beyond the sample", "chip: bias a sample", "chip: soft reset", "chip: static messages"),
    *("chip: lower bound", "chip: start", "chip: refractory", "chip: count of spikes"),
    *("chip: convolution", "chip: convolution 1d", "chip: dense between spaces", "chip: current filter"),
}
CURRENT_LIMIT = 1 << 23


def _pick(draw, *options):
    return draw(st.sampled_from(options))


class _Builder:
    def __init__(self, draw, rng: np.random.Generator, steps: int):
        self.draw, self.rng, self.steps = draw, rng, steps
        self.network = ChipNetwork("loihi2", steps, {}, {}, {}, {}, {})
        self.features: set[str] = set()

    def shape(self) -> tuple[int, ...]:
        axes = _pick(self.draw, 1, 2, 3)
        first = self.rng.integers(1, 7) if axes == 1 else self.rng.integers(1, 4)
        return tuple(int(n) for n in (first, *self.rng.integers(1, 6, axes - 1)))

    def register(self, shape: tuple[int, ...], low: int, high: int, *usual: int) -> np.ndarray:
        """A limit, a usual value, or anything; for all, a channel, or a neuron."""
        kind = _pick(self.draw, "usual", "limit", "any", "channel", "neuron")
        if kind == "usual":
            return np.array(usual[self.rng.integers(len(usual))])
        if kind == "limit":
            return np.array([low, high][self.rng.integers(2)])
        own = {"any": (), "channel": (shape[0], *[1] * (len(shape) - 1)), "neuron": shape}[kind]
        values = self.rng.integers(low, high + 1, own)
        return np.where(self.rng.random(own) < 0.2, self.rng.choice([low, high], own), values)

    def population(self, name: str, shape: tuple[int, ...], fires: bool) -> None:
        soft = _pick(self.draw, "zero", "zero", "subtract")
        du = self.register(shape, 0, 4095, 4095, 4095, 2000)
        self.network.populations[name] = Population(
            name,
            shape,
            du=du,
            dv=self.register(shape, 0, 4095, 0, 400),
            vth=self.register(shape, 0, 131071, 20, 200) if fires else np.array(131071),
            bias_mant=self.register(shape, -4096, 4095, 0, 0, 60),
            bias_exp=self.register(shape, 0, 7, 0, 3),
            reset=soft,
            fires=fires,
            **self.options(shape, fires),
        )
        if self.network.populations[name].max_spikes > 1:
            self.network.populations[name].vth = np.maximum(self.network.populations[name].vth, 1)
        self.features |= {"chip: soft reset"} if soft == "subtract" else set()
        self.features |= {"chip: current filter"} if (du < 4095).any() else set()

    def options(self, shape: tuple[int, ...], fires: bool) -> dict:
        """What a population may have beside its registers."""
        made = {}
        if _pick(self.draw, False, False, True):
            made["v_min"] = self.register(shape, 1 - CURRENT_LIMIT, 0, 0, -64, -5000)
            self.features.add("chip: lower bound")
        if _pick(self.draw, False, False, True):
            made["v_start"] = self.register(shape, 1 - CURRENT_LIMIT, CURRENT_LIMIT - 1, 1, -300, 3000)
            self.features.add("chip: start")
        if fires and _pick(self.draw, False, False, True):
            made["refractory"] = _pick(self.draw, 1, 1, 2, 300)
            self.features.add("chip: refractory")
        if fires and _pick(self.draw, False, False, True):
            made["max_spikes"] = _pick(self.draw, 2, 3, 15, 255)
            self.features.add("chip: count of spikes")
        return made

    def weights(self, *shape: int) -> np.ndarray:
        sign = _pick(self.draw, "mixed", "positive", "negative", "full", "powers")
        if sign == "powers":  # with messages that are powers of two: sums exactly at the limits of a register
            return np.where(self.rng.random(shape) < 0.4, self.rng.choice([-256, 64, 128], shape), 0)
        if sign == "mixed":
            return self.rng.integers(-128, 128, shape) * 2
        if sign == "full":
            return np.full(shape, 255)
        return self.rng.integers(0, 256, shape) * (1 if sign == "positive" else -1)

    def project(self, name: str, source: str, target: str, delay: int) -> None:
        """Dense, or a convolution where one of the target's shape can be found."""
        come, go = self.network.source_shape(source), self.network.populations[target].shape
        geometry = self.geometry(come, go) if len(come) == len(go) > 1 else None
        if geometry is not None:
            kernel, geometry = geometry
            weight = self.weights(go[0], come[0] // geometry.groups, *kernel)
            self.features.add("chip: convolution" if len(go) == 3 else "chip: convolution 1d")
        else:
            weight = self.weights(int(np.prod(go)), int(np.prod(come)))
            self.features |= {"chip: dense between spaces"} if len(go) > 1 else set()
        exponent = _pick(self.draw, 0, 0, 1, 3, 7)
        self.network.projections[name] = Projection(name, source, target, weight, exponent, geometry, delay)
        self.features |= {"chip: delay beyond the sample"} if delay >= self.steps else set()

    def geometry(self, come: tuple[int, ...], go: tuple[int, ...]) -> tuple[tuple[int, ...], Geometry] | None:
        groups = int(self.rng.choice([g for g in range(1, 4) if come[0] % g == 0 and go[0] % g == 0]))
        for _ in range(40):
            kernel, stride, dilation = (tuple(int(n) for n in self.rng.integers(1, 4, len(go) - 1)) for _ in range(3))
            padding = tuple(int(n) for n in self.rng.integers(0, 4, len(go) - 1))
            geometry = Geometry(stride, padding, dilation, groups)
            if spatial_output(come[1:], kernel, geometry) == go[1:]:
                return kernel, geometry
        return None


def _special_messages(rng: np.random.Generator, low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
    """The limits, and powers of two."""
    limits = rng.choice([low, high], shape)
    powers = rng.choice([-1, 1], shape) << rng.integers(0, 1 + int(high).bit_length(), shape)
    return np.where((rng.random(shape) < 0.3) | (powers > high) | (powers < low), limits, powers)


@st.composite
def chip_cases(draw, steps: int, samples: int) -> Case:
    """Networks and messages of `samples` x `steps`."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    builder = _Builder(draw, rng, steps)
    network = builder.network
    encoded = EncodedInput(steps, samples)
    for index in range(draw(st.integers(1, 2))):
        name, shape = f"x{index}", builder.shape()
        low, high = _pick(draw, (0, 1), (0, 255), (-128, 127), (-(1 << 16), 1 << 16), (-(1 << 23), (1 << 23) - 1))
        network.inputs[name] = ChipInput(name, shape, "spikes" if high == 1 else "graded", 1.0, low, high)
        static = _pick(draw, False, False, True)
        messages = rng.integers(low, high + 1, (samples, 1 if static else steps, *shape))
        special = _special_messages(rng, low, high, messages.shape)
        share = _pick(draw, 0.3, 1.0)
        encoded.messages[name] = np.where(rng.random(messages.shape) < share, special, messages).astype(np.int32)
        builder.features |= {"chip: static messages"} if static else set()
        builder.features |= {"chip: graded 24 bits"} if high >> 22 else set()
    count = draw(st.integers(1, 4))
    for index in range(count):
        name = f"p{index}"
        fires = index < count - 1 or draw(st.booleans())
        builder.population(name, builder.shape(), fires)
        earlier = [n for n in (*network.inputs, *network.populations) if n != name]
        for way in range(draw(st.integers(1, 2))):
            source = _pick(draw, *reversed(earlier))
            delay = _pick(draw, 0, 0, 0, 1, 2, steps - 1, steps + 1)
            builder.project(f"{source}->{name}.{way}", source, name, delay)
        if fires and _pick(draw, False, False, True):
            target = _pick(draw, *reversed(network.populations))
            delay = index - int(target[1:]) + 1 + draw(st.integers(0, 2))
            # a projection that waits may move its target's stage; leave room for that
            delay += sum(p.delay == 0 for p in network.projections.values()) if delay > 1 else 0
            builder.project(f"{name}->{target}.back", name, target, delay)
            builder.features.add("chip: loop")
        if _pick(draw, *[False] * 4, True):
            mant = rng.integers(-4096, 4096, (samples, *network.populations[name].shape))
            encoded.bias[name] = (mant.astype(np.int16), rng.integers(0, 8, mant.shape).astype(np.int16))
            builder.features.add("chip: bias a sample")
        mode = _pick(draw, "membrane", "count", "membrane_before_reset")
        over_time = _pick(draw, None, "sum", "max", "last")
        if over_time == "max" and network.populations[name].max_spikes > 1:
            over_time = "sum"  # the most spikes of a step are refused
        network.outputs[f"y{index}"] = ChipOutput(f"y{index}", name, mode, over_time)
        builder.features |= {f"chip: {mode} {over_time}"} if over_time else set()
    return Case(network, encoded, frozenset(builder.features))
