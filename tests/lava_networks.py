"""Hand-made ChipNetworks for the Lava tests, and the chip's equations as plain Python loops over single neurons."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from dalif_deploy.hw_models.chip_network.form import (
    VTH_MAX,
    ChipInput,
    ChipNetwork,
    ChipOutput,
    Geometry,
    Population,
    Projection,
)
from dalif_deploy.hw_models.samples.recording import EncodedInput, Recording

LIMIT = 1 << 23


def population(name: str, shape: tuple[int, ...], **registers) -> Population:
    """A population whose registers are given as ints or arrays."""
    values = {"du": 4095, "dv": 400, "vth": 20, "bias_mant": 0, "bias_exp": 0} | registers
    arrays = {key: np.array(values.pop(key)) for key in ("du", "dv", "vth", "bias_mant", "bias_exp")}
    return Population(name, shape, **arrays, **values)


def network(steps: int, inputs: list, populations: list, projections: list, outputs: tuple = ()) -> ChipNetwork:
    """Projections are given without their name's uniqueness in mind: it is made from source, target and position."""
    for i, p in enumerate(projections):
        p.name = f"{i}: {p.source}->{p.target}"
    return ChipNetwork(
        chip="loihi2",
        steps=steps,
        inputs={i.name: i for i in inputs},
        populations={p.name: p for p in populations},
        projections={p.name: p for p in projections},
        host_projections={},
        outputs={o.name: o for o in outputs},
    )


def synapses(source: str, target: str, weight: np.ndarray, **options) -> Projection:
    return Projection("", source, target, weight, **options)


def even(rng: np.random.Generator, *shape: int, top: int = 100) -> np.ndarray:
    """Mixed-sign weights as the chip holds them: even."""
    return rng.integers(-top // 2, top // 2 + 1, shape) * 2


def spikes(rng: np.random.Generator, samples: int, steps: int, *shape: int, rate: float = 0.4) -> np.ndarray:
    return (rng.random((samples, steps, *shape)) < rate).astype(np.int32)


def truncated(x: int, decay: int) -> int:
    """trunc(x * (4096 - decay) / 4096), toward zero."""
    return abs(x) * (4096 - decay) // 4096 * (1 if x >= 0 else -1)


def synaptic_sum(projection: Projection, message: np.ndarray, neuron: tuple[int, ...], target: Population) -> int:
    """What one neuron receives over one projection, neuron by neuron, synapse by synapse."""
    weight, geometry = projection.weight, projection.geometry
    total = 0
    if geometry is None:
        row = int(np.ravel_multi_index(neuron, target.shape))
        for column, value in enumerate(message.ravel()):
            total += int(weight[row, column]) * int(value)
        return total << projection.weight_exp
    out, *place = neuron
    per_group = weight.shape[1]
    first = out // (weight.shape[0] // geometry.groups) * per_group
    for channel in range(per_group):
        for tap in itertools.product(*(range(k) for k in weight.shape[2:])):
            at = [
                y * s - p + k * d
                for y, s, p, k, d in zip(place, geometry.stride, geometry.padding, tap, geometry.dilation, strict=True)
            ]
            if all(0 <= a < size for a, size in zip(at, message.shape[1:], strict=True)):
                total += int(weight[(out, channel, *tap)]) * int(message[(first + channel, *at)])
    return total << projection.weight_exp


def scalar_reference(net: ChipNetwork, encoded: EncodedInput) -> Recording:
    """The equations of hw_models.chip_network, one neuron at a time, each sample by itself. Populations in the order
    given must be in the order of data flow."""
    n, steps = encoded.samples, encoded.steps
    fired = {p.name: np.zeros((n, steps, *p.shape), np.uint8) for p in net.populations.values()}
    membrane = {p.name: np.zeros((n, steps, *p.shape), np.int32) for p in net.populations.values()}
    for sample in range(n):
        waits = {}
        state = {
            (p.name, i): (0, int(np.broadcast_to(p.v_start, p.shape)[i]))
            for p in net.populations.values()
            for i in np.ndindex(p.shape)
        }

        def message(projection: Projection, t: int, sample: int = sample) -> np.ndarray:
            t -= projection.delay
            if t < 0:
                return np.zeros(net.source_shape(projection.source), np.int64)
            if projection.source in net.inputs:
                sent = encoded.messages[projection.source][sample]
                return sent[t if len(sent) > 1 else 0]
            return fired[projection.source][sample, t]

        for t in range(steps):
            for p in net.populations.values():
                arriving = [(q, message(q, t)) for q in net.projections.values() if q.target == p.name]
                registers = {k: np.broadcast_to(getattr(p, k), p.shape) for k in ("du", "dv", "vth")}
                mant, exp = (np.broadcast_to(getattr(p, k), p.shape) for k in ("bias_mant", "bias_exp"))
                if p.name in encoded.bias:
                    mant, exp = (array[sample] for array in encoded.bias[p.name])
                for i in np.ndindex(p.shape):
                    u, v = state[p.name, i]
                    u = truncated(u, int(registers["du"][i]) + 1)
                    u += 64 * sum(synaptic_sum(q, m, i, p) for q, m in arriving)
                    if u > LIMIT:
                        u -= 2 * LIMIT
                    elif u <= -LIMIT:
                        u += 2 * LIMIT
                    v = truncated(v, int(registers["dv"][i])) + u + int(mant[i]) * 2 ** int(exp[i])
                    v = max(-LIMIT + 1, min(LIMIT - 1, v))
                    if p.v_min is not None:
                        v = max(v, int(np.broadcast_to(p.v_min, p.shape)[i]))
                    left = waits.get((p.name, i), 0)
                    v = 0 if left else v
                    waits[p.name, i] = max(left - 1, 0)
                    # a readout that clips lies above even the highest threshold, and fires on the chip too
                    threshold = (int(registers["vth"][i]) if p.fires else VTH_MAX) * 64
                    if v > threshold:
                        times = max(k for k in range(1, p.max_spikes + 1) if v > k * threshold)
                        fired[p.name][(sample, t, *i)] = times
                        v = v - times * threshold if p.reset == "subtract" else 0
                        waits[p.name, i] = p.refractory
                    state[p.name, i] = (u, v)
                    membrane[p.name][(sample, t, *i)] = v
    outputs = {
        o.name: fired[o.population].sum(axis=1, dtype=np.int64)
        if o.mode == "count"
        else membrane[o.population][:, -1].astype(np.int64)
        for o in net.outputs.values()
    }
    return Recording(fired, membrane, outputs)


Made = tuple[ChipNetwork, EncodedInput]


def dense_network() -> Made:
    """Two layers with current filter, bias and exponents; weights of one sign keep their odd values."""
    rng = np.random.default_rng(1)
    hidden = population("hidden", (7,), du=1500, vth=300, bias_mant=rng.integers(-300, 300, 7), bias_exp=2)
    readout = population("readout", (4,), dv=0, vth=131071, fires=False)
    net = network(
        5,
        [ChipInput("events", (10,), "spikes")],
        [hidden, readout],
        [
            synapses("events", "hidden", rng.integers(0, 256, (7, 10)) | 1),
            synapses("events", "hidden", -(rng.integers(0, 255, (7, 10)) | 1)),
            synapses("hidden", "readout", even(rng, 4, 7, top=254), weight_exp=3),
        ],
        (ChipOutput("value", "readout", "membrane"), ChipOutput("rate", "hidden", "count")),
    )
    return net, EncodedInput(5, 4, {"events": spikes(rng, 4, 5, 10)})


def conv_network() -> Made:
    """Everything unequal in height and width, groups, then a dense layer over the flattened channels."""
    rng = np.random.default_rng(2)
    net = network(
        4,
        [ChipInput("image", (4, 5, 7), "spikes")],
        [
            population("wide", (6, 3, 9), vth=60, bias_mant=rng.integers(-900, 900, (6, 1, 1)), bias_exp=1),
            population("plain", (3, 2, 8), vth=60),
            population("flat", (5,), vth=100),
            population("back", (2, 3, 2), vth=100),
        ],
        [
            synapses("image", "wide", even(rng, 6, 2, 2, 3), geometry=Geometry((2, 1), (1, 3), (2, 2), 2)),
            synapses("wide", "plain", even(rng, 3, 6, 2, 2), weight_exp=2, geometry=Geometry((1, 1), (0, 0), (1, 1))),
            synapses("plain", "flat", even(rng, 5, 48)),
            synapses("flat", "back", even(rng, 12, 5, top=250)),
        ],
    )
    return net, EncodedInput(4, 3, {"image": spikes(rng, 3, 4, 4, 5, 7)})


def conv1d_network() -> Made:
    rng = np.random.default_rng(3)
    net = network(
        4,
        [ChipInput("wave", (2, 11), "spikes")],
        [population("conv", (4, 6)), population("flat", (3,), vth=50)],
        [
            synapses("wave", "conv", even(rng, 4, 1, 3), geometry=Geometry((2,), (2,), (2,), 2)),
            synapses("conv", "flat", even(rng, 3, 24)),
        ],
    )
    return net, EncodedInput(4, 3, {"wave": spikes(rng, 3, 4, 2, 11)})


def graded_network() -> Made:
    """Static graded messages; sums far beyond 16 bits, a signed input beside the unsigned one."""
    rng = np.random.default_rng(4)
    net = network(
        4,
        [
            ChipInput("image", (2, 4, 5), "graded", min_level=0, max_level=255),
            ChipInput("signed", (6,), "graded", min_level=-128, max_level=127),
        ],
        [population("conv", (3, 4, 5), vth=4000), population("flat", (4,), vth=20000, dv=0)],
        [
            synapses("image", "conv", even(rng, 3, 2, 3, 3, top=60), geometry=Geometry((1, 1), (1, 1), (1, 1))),
            synapses("image", "flat", rng.integers(0, 30, (4, 40))),
            synapses("conv", "flat", even(rng, 4, 60)),
            synapses("signed", "flat", even(rng, 4, 6, top=120)),
        ],
    )
    image, signed = rng.integers(0, 256, (3, 1, 2, 4, 5)), rng.integers(-128, 128, (3, 4, 6))
    assert (image.reshape(3, 40) @ net.projections["1: image->flat"].weight.T).max() > 40000
    return net, EncodedInput(4, 3, {"image": image.astype(np.int32), "signed": signed.astype(np.int32)})


def bias_network() -> Made:
    """Input as a bias a sample; registers a channel and a neuron; soft reset; a skip that must wait."""
    rng = np.random.default_rng(5)
    net = network(
        5,
        [],
        [
            population("first", (3, 2, 4), dv=np.array([0, 400, 4095]).reshape(3, 1, 1), vth=40, reset="subtract"),
            population("second", (2, 2, 4), vth=rng.integers(5, 90, (2, 2, 4)), du=rng.integers(0, 4096, (2, 1, 1))),
            population("third", (5,), vth=30, dv=rng.integers(0, 4096, 5), reset="subtract", bias_mant=77),
            population("last", (4,), vth=50),
        ],
        [
            synapses("first", "second", even(rng, 2, 3, 1, 3), geometry=Geometry((1, 1), (0, 1), (1, 1))),
            synapses("second", "third", even(rng, 5, 16)),
            synapses("third", "last", even(rng, 4, 5, top=250)),
            synapses("first", "last", even(rng, 4, 24)),
            synapses("second", "last", even(rng, 4, 16)),
        ],
    )
    mant, exp = rng.integers(-4096, 4096, (4, 3, 2, 4)), rng.integers(0, 8, (4, 3, 2, 4))
    return net, EncodedInput(5, 4, {}, {"first": (mant.astype(np.int16), (exp * (mant > 0)).astype(np.int16))})


def recurrent_network() -> Made:
    """Loops of one and two populations, delays from the input, spikes in flight at the end of each sample."""
    rng = np.random.default_rng(6)
    net = network(
        6,
        [ChipInput("events", (5,), "spikes")],
        [population("ring", (6,), vth=30, bias_mant=200), population("echo", (4,), vth=30, du=2000)],
        [
            synapses("events", "ring", even(rng, 6, 5)),
            synapses("ring", "ring", even(rng, 6, 6), delay=1),
            synapses("ring", "echo", even(rng, 4, 6)),
            synapses("echo", "ring", even(rng, 6, 4), delay=2),
            synapses("ring", "echo", even(rng, 4, 6), delay=3),
            synapses("events", "echo", even(rng, 4, 5), delay=4),
            synapses("echo", "echo", even(rng, 4, 4), delay=9),
        ],
    )
    return net, EncodedInput(6, 5, {"events": spikes(rng, 5, 6, 5, rate=0.7)})


def saturating_network() -> Made:
    """u wraps, v clips on both sides, a readout that clips; T = 1 would hide it, T = 9 does not."""
    rng = np.random.default_rng(7)
    net = network(
        9,
        [ChipInput("events", (6,), "spikes")],
        [
            population("wraps", (5,), du=0, dv=0, vth=131071, fires=False),
            population("clips", (3,), dv=0, vth=131071, bias_mant=np.array([4095, -4096, 4095]), bias_exp=7),
            population("spiking", (3,), dv=0, du=10, vth=131071),
        ],
        [
            synapses("events", "wraps", even(rng, 5, 6, top=254), weight_exp=6),
            synapses("events", "clips", np.array([[255], [0], [255]]) * np.ones((1, 6), int), weight_exp=4),
            synapses("events", "clips", np.array([[0], [-255], [0]]) * np.ones((1, 6), int), weight_exp=4),
            synapses("events", "spiking", np.full((3, 6), 255), weight_exp=6),
        ],
    )
    return net, EncodedInput(9, 2, {"events": spikes(rng, 2, 9, 6, rate=0.8)})


def parts_network() -> Made:
    """Parts that do not hang together, samples of one step, and more groups than eight bits can count."""
    rng = np.random.default_rng(8)
    net = network(
        1,
        [ChipInput("events", (130, 1, 2), "spikes")],
        [
            population("alone", (2,), bias_mant=np.array([100, 3000])),
            population("each", (130, 1, 2), vth=10),
            population("next", (2,), vth=10),
        ],
        [
            synapses(
                "events", "each", rng.integers(0, 40, (130, 1, 1, 1)), geometry=Geometry((1, 1), (0, 0), (1, 1), 130)
            ),
            synapses("alone", "next", even(rng, 2, 2, top=250)),
        ],
    )
    return net, EncodedInput(1, 6, {"events": spikes(rng, 6, 1, 130, 1, 2)})


def options_network() -> Made:
    """Lower bounds, starts and refractory times, a channel, a neuron and a layer; two layers of an image, one dense."""
    rng = np.random.default_rng(9)
    starts = rng.integers(-900, 900, (4, 3, 3))
    net = network(
        7,
        [ChipInput("image", (2, 5, 5), "spikes")],
        [
            population("bounded", (4, 3, 3), vth=20, v_min=-rng.integers(0, 700, (4, 1, 1)), v_start=starts),
            population("waits", (3, 2, 2), vth=8, du=900, refractory=2, v_min=np.array(0), reset="subtract"),
            population("all", (5,), vth=9, refractory=1, v_min=-rng.integers(0, 900, 5), v_start=np.array(400)),
        ],
        [
            synapses("image", "bounded", even(rng, 4, 2, 3, 3), geometry=Geometry((1, 1), (0, 0), (1, 1))),
            synapses("bounded", "waits", even(rng, 3, 4, 2, 2), geometry=Geometry((1, 1), (0, 0), (1, 1))),
            synapses("waits", "all", even(rng, 5, 12)),
            synapses("all", "all", even(rng, 5, 5), delay=1),
        ],
        (ChipOutput("rate", "all", "count"), ChipOutput("value", "waits", "membrane")),
    )
    return net, EncodedInput(7, 4, {"image": spikes(rng, 4, 7, 2, 5, 5, rate=0.6)})


def several_spikes_network() -> Made:
    """Neurons that send how often they fire in a step, into dense and convolved synapses; one layer is capped."""
    rng = np.random.default_rng(10)
    net = network(
        6,
        [ChipInput("image", (2, 4, 4), "graded", 1.0, 0, 9)],
        [
            population("many", (3, 3, 3), vth=40, max_spikes=255, reset="subtract", v_min=np.array(-640)),
            population("capped", (3, 2, 2), vth=30, max_spikes=3, refractory=1),
            population("last", (4,), vth=200, max_spikes=15, reset="subtract", du=2000),
        ],
        [
            synapses("image", "many", even(rng, 3, 2, 2, 2), geometry=Geometry((1, 1), (0, 0), (1, 1))),
            synapses("many", "capped", even(rng, 3, 3, 2, 2), geometry=Geometry((1, 1), (0, 0), (1, 1))),
            synapses("capped", "last", even(rng, 4, 12)),
            synapses("many", "last", even(rng, 4, 27), delay=2),
        ],
        (ChipOutput("counts", "last", "count"),),
    )
    return net, EncodedInput(6, 3, {"image": rng.integers(0, 10, (3, 6, 2, 4, 4)).astype(np.int32)})


NETWORKS: dict[str, Callable[[], Made]] = {
    "dense": dense_network,
    "conv": conv_network,
    "conv1d": conv1d_network,
    "graded": graded_network,
    "bias": bias_network,
    "recurrent": recurrent_network,
    "saturating": saturating_network,
    "parts": parts_network,
    "options": options_network,
    "several spikes": several_spikes_network,
}
