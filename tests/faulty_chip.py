"""A chip in numpy whose arithmetic can be broken, one rule at a time, and what single faults there are.

Written from the register equations, as tests/scalar_chip.py is; without a fault it gives that chip's bits, many samples
at a time. Each fault names the network of `networks()` that has the path which it breaks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipInput, ChipNetwork, ChipOutput, Geometry, Projection
from dalif_deploy.hw_models.samples.recording import EncodedInput
from tests.chip_networks import chip, population
from tests.scalar_chip import synapses, wrap

LIMIT = 1 << 23
STEPS = 6


def decayed(value, keep):
    return np.sign(value) * (np.abs(value) * keep >> 12)


class Chip:
    """Every rule is a method, so that a fault is one override."""

    def decay_u(self, u, du):
        return decayed(u, 4096 - (du + 1))

    def decay_v(self, v, dv):
        return decayed(v, 4096 - dv)

    def current(self, u, du, arriving):
        return self.decay_u(u, du) + arriving

    def membrane(self, v, dv, u, bias):
        return self.decay_v(v, dv) + u + bias

    def weights(self, dense, exponent):
        return dense << exponent

    def shifted(self, total):
        return wrap(total << 6, 32)

    def wrapped(self, u):
        u = wrap(u, 32)
        first = np.where(u > LIMIT, u - 2 * LIMIT, u)
        return np.where(first <= -LIMIT, u + 2 * LIMIT, first)

    def clipped(self, v):
        return np.clip(v, -LIMIT + 1, LIMIT - 1)

    def threshold(self, vth):
        return vth << 6

    def fires(self, v, threshold):
        return v > threshold

    def reset(self, v, threshold, how):
        return v * 0 if how == "zero" else v - threshold

    def start(self, v_start, samples):
        return np.repeat(v_start[None], samples, axis=0)

    def bounded(self, v, lowest):
        return np.maximum(v, lowest)

    def held(self, v, waits, before, threshold):
        return np.where(waits > 0, 0, v)

    def wait(self, waits, fired, refractory):
        return np.where(fired, refractory, np.maximum(waits - 1, 0))

    def times(self, v, threshold, most):
        return np.clip((v - 1) // threshold, 0, most)

    def taken_off(self, threshold, times):
        return threshold * times

    def sent(self, times):
        return times

    def after_spike(self, u, fired):
        return u

    def bias(self, mant, exp):
        return mant << exp

    def source_step(self, t, delay, recurrent):
        return t - delay

    def message(self, values):
        return values

    def conv(self, total):
        return wrap(total, 24)

    def dense(self, matrix, projection):
        return matrix

    def kernel(self, projection):
        return projection

    def run(self, network: ChipNetwork, encoded: EncodedInput):
        """spikes, membranes: name -> int64 [N, T, neurons]."""
        n, steps = encoded.samples, encoded.steps
        wires = {p.name: self._matrix(network, p) for p in network.projections.values()}
        depth = network.depths()
        order = sorted(network.populations, key=lambda name: (depth[name], name))
        size = {k: p.size for k, p in network.populations.items()}
        sent = {k: np.zeros((n, steps, size[k]), np.int64) for k in order}
        sent |= {
            k: np.broadcast_to(m, (n, steps, *m.shape[2:])).reshape(n, steps, -1) for k, m in encoded.messages.items()
        }
        membranes = {k: np.zeros((n, steps, size[k]), np.int64) for k in order}
        u, waits = ({k: np.zeros((n, size[k]), np.int64) for k in order} for _ in range(2))
        v = {k: self.start(_flat(network.populations[k], "v_start"), n) for k in order}
        for t in range(steps):
            for name in order:
                p = network.populations[name]
                register = {r: _flat(p, r) for r in ("du", "dv", "vth", "bias_mant", "bias_exp")}
                total = np.zeros((n, size[name]), np.int64)
                for q in network.incoming(name):
                    at = self.source_step(t, q.delay, q.source == name)
                    if at < 0:
                        continue
                    part = self.message(sent[q.source][:, at].astype(np.int64)) @ wires[q.name].T
                    total = total + (part if q.geometry is None else self.conv(part))
                u[name] = self.wrapped(self.current(u[name], register["du"], self.shifted(total)))
                bias = self.bias(register["bias_mant"], register["bias_exp"])
                now = self.clipped(self.membrane(v[name], register["dv"], u[name], bias))
                threshold = self.threshold(register["vth"])
                if p.v_min is not None:
                    now = self.bounded(now, _flat(p, "v_min"))
                if p.refractory:
                    now = self.held(now, waits[name], v[name], threshold)
                fired = self.fires(now, threshold)
                times = fired.astype(np.int64)
                if p.max_spikes > 1:
                    times = self.times(now, threshold, p.max_spikes)
                    fired = times > 0
                off = threshold if p.max_spikes == 1 else self.taken_off(threshold, times)
                v[name] = np.where(fired, self.reset(now, off, p.reset), now)
                waits[name] = self.wait(waits[name], fired, p.refractory)
                u[name] = self.after_spike(u[name], fired)
                sent[name][:, t], membranes[name][:, t] = self.sent(times), v[name]
        return {k: sent[k] for k in order}, membranes

    def _matrix(self, network, projection):
        source, target = network.source_shape(projection.source), network.populations[projection.target].shape
        matrix = np.zeros((int(np.prod(target)), int(np.prod(source))), np.int64)
        for come, go, weight in synapses(self.kernel(projection), source, target):
            matrix[np.ravel_multi_index(go, target), np.ravel_multi_index(come, source)] += weight
        return self.weights(self.dense(matrix, projection), projection.weight_exp)


def _flat(population, register):
    return np.broadcast_to(getattr(population, register), population.shape).ravel().astype(np.int64)


def networks() -> dict[str, ChipNetwork]:
    """One a family of paths, each for the digits' 8x8 images."""
    rng = np.random.default_rng(7)
    image = ChipInput("input", (1, 8, 8), "graded", 1 / 16, 0, 16)
    geometry = Geometry((2, 2), (1, 1), (1, 1))

    def weights(*shape, size=40):
        return np.clip(np.rint(rng.normal(0, size / 2, shape)).astype(np.int64) * 2, -256, 254)

    def readout():
        return population("readout", (10,), dv=0, vth=131071, fires=False, mant=3, exp=1)

    def biases(high, *shape):
        return rng.integers(-high, high, shape)

    plain = chip(
        [image],
        [
            population("conv", (4, 4, 4), dv=900, vth=300, mant=biases(500, 4, 1, 1), exp=2),
            population("dense", (12,), dv=rng.integers(100, 2000, 12), vth=90, mant=biases(90, 12), exp=0),
            readout(),
        ],
        [
            Projection("a", "input", "conv", weights(4, 1, 3, 3), 0, geometry),
            Projection("b", "conv", "dense", weights(12, 64), 1),
            Projection("c", "dense", "readout", weights(10, 12), 0),
        ],
        steps=STEPS,
        outputs=[ChipOutput("y", "readout", "membrane")],
    )
    filtered = chip(
        [image],
        [
            population("first", (4, 4, 4), du=1500, dv=300, vth=500, mant=biases(200, 4, 1, 1), reset="subtract"),
            population("loop", (12,), du=rng.integers(200, 3500, 12), dv=700, vth=120, mant=11, exp=1),
            readout(),
        ],
        [
            Projection("a", "input", "first", weights(4, 1, 3, 3), 0, geometry),
            Projection("b", "first", "loop", weights(12, 64), 0),
            Projection("again", "loop", "loop", weights(12, 12), 0, delay=1),
            Projection("skip", "first", "readout", weights(10, 64, size=10), 0, delay=2),
            Projection("c", "loop", "readout", weights(10, 12), 0),
        ],
        steps=STEPS,
        outputs=[ChipOutput("y", "readout", "membrane")],
    )
    # reached by no usual image: -256 on a corner that is black in all digits, sums that are wide only where all agree
    wide, slow = weights(16, 64, size=10), weights(16, 64, size=10)
    wide[:, 0] = -256
    limits = chip(
        [replace(image, step=1 / 256, max_level=256)],
        [
            population("wide", (16,), dv=0, vth=60000, mant=biases(4096, 16), exp=5),
            population("slow", (16,), du=800, dv=50, vth=70000, reset="subtract"),
            readout(),
        ],
        [
            Projection("a", "input", "wide", wide, 0),
            Projection("b", "input", "slow", slow, 1),
            Projection("c", "wide", "readout", weights(10, 16), 4),
            Projection("d", "slow", "readout", weights(10, 16), 4),
        ],
        steps=STEPS,
        outputs=[ChipOutput("y", "readout", "membrane")],
    )
    # after those above, whose weights are drawn first
    options = chip(
        [image],
        [
            replace(
                population("bounded", (4, 4, 4), dv=300, vth=90, reset="subtract"),
                v_min=-rng.integers(0, 3000, (4, 4, 4)),
            ),
            replace(population("started", (12,), dv=400, vth=70), v_start=rng.integers(-3000, 6000, 12)),
            replace(population("tired", (12,), du=1800, dv=200, vth=40, reset="subtract"), refractory=2),
            replace(population("many", (12,), dv=200, vth=30, reset="subtract"), max_spikes=3),
            replace(population("several", (12,), dv=200, vth=25), max_spikes=2, refractory=1),
            readout(),
        ],
        [
            Projection("a", "input", "bounded", weights(4, 1, 3, 3), 0, geometry),
            Projection("b", "bounded", "started", weights(12, 64), 0),
            Projection("c", "bounded", "tired", weights(12, 64), 0),
            Projection("d", "tired", "many", weights(12, 12, size=90), 0),
            Projection("e", "started", "many", weights(12, 12, size=90), 0),
            Projection("f", "many", "several", weights(12, 12), 0),
            Projection("g", "several", "readout", weights(10, 12), 0),
        ],
        steps=STEPS,
        outputs=[ChipOutput("y", "readout", "membrane")],
    )
    return {"plain": plain, "filtered": filtered, "limits": limits, "options": options}


@dataclass(frozen=True)
class Fault:
    """A rule that is wrong, and the network that follows it."""

    network: str
    rule: str
    wrong: object

    def chip(self) -> Chip:
        """The chip with this fault."""
        return type("FaultyChip", (Chip,), {self.rule: self.wrong})()


def _nearest(value, keep):
    return np.sign(value) * ((np.abs(value) * keep + 2048) >> 12)


def _saturated(self, u):
    return np.clip(u, -LIMIT, LIMIT)


def _wrapped_at(self, u):
    u = wrap(u, 32)
    return np.where(u >= LIMIT, u - 2 * LIMIT, np.where(u < -LIMIT, u + 2 * LIMIT, u))


def _rectified(self, v):
    return np.clip(v, 0, LIMIT - 1)


def _never_last(self, v, threshold):
    fired = v > threshold
    fired[:, -1] = False
    return fired


def _started_once(self, v_start, samples):
    v = np.zeros((samples, len(v_start)), np.int64)
    v[:1] = v_start
    return v


FAULTS = {
    "membrane decay rounds down": Fault("plain", "decay_v", lambda s, v, dv: v * (4096 - dv) >> 12),
    "membrane decay rounds to nearest": Fault("plain", "decay_v", lambda s, v, dv: _nearest(v, 4096 - dv)),
    "membrane decay rounds away from 0": Fault(
        "plain", "decay_v", lambda s, v, dv: -((-np.abs(v) * (4096 - dv)) >> 12) * np.sign(v)
    ),
    "membrane decay one too strong": Fault("plain", "decay_v", lambda s, v, dv: decayed(v, 4095 - dv)),
    "membrane decays by 12 bits instead of 4096": Fault(
        "plain", "decay_v", lambda s, v, dv: np.sign(v) * (np.abs(v) * (4096 - dv) // 4095)
    ),
    "input added before the decay": Fault("plain", "membrane", lambda s, v, dv, u, b: s.decay_v(v + u, dv) + b),
    "bias added before the decay": Fault("plain", "membrane", lambda s, v, dv, u, b: s.decay_v(v + b, dv) + u),
    "fires on the threshold": Fault("plain", "fires", lambda s, v, threshold: v >= threshold),
    "fires two above the threshold": Fault("plain", "fires", lambda s, v, threshold: v > threshold + 1),
    "threshold not shifted far enough": Fault("plain", "threshold", lambda s, vth: vth << 5),
    "threshold of 16 bits": Fault("limits", "threshold", lambda s, vth: (vth & 0xFFFF) << 6),
    "resets to 1": Fault("plain", "reset", lambda s, v, threshold, how: v * 0 + 1 if how == "zero" else v - threshold),
    "reset to zero subtracts": Fault("plain", "reset", lambda s, v, threshold, how: v - threshold),
    "reset by subtraction goes to zero": Fault("filtered", "reset", lambda s, v, threshold, how: v * 0),
    "reset subtracts one too much": Fault(
        "filtered", "reset", lambda s, v, threshold, how: v * 0 if how == "zero" else v - threshold - 1
    ),
    "no reset": Fault("plain", "reset", lambda s, v, threshold, how: v),
    "a spike clears the current": Fault("filtered", "after_spike", lambda s, u, fired: np.where(fired, 0, u)),
    "bias exponent one too large": Fault("plain", "bias", lambda s, mant, exp: mant << (exp + 1)),
    "bias exponent ignored": Fault("plain", "bias", lambda s, mant, exp: mant),
    "bias without sign": Fault("plain", "bias", lambda s, mant, exp: np.abs(mant) << exp),
    "bias mantissa of 12 bits": Fault("limits", "bias", lambda s, mant, exp: np.clip(mant, -2048, 2047) << exp),
    "no bias": Fault("plain", "bias", lambda s, mant, exp: mant * 0),
    "weight exponent ignored": Fault("plain", "weights", lambda s, dense, exponent: dense),
    "weight exponent one too large": Fault(
        "plain", "weights", lambda s, dense, exponent: dense << (exponent + (exponent > 0))
    ),
    "weights lose a bit": Fault("plain", "dense", lambda s, matrix, projection: matrix & ~3),
    "weight -256 held at -255": Fault("limits", "dense", lambda s, matrix, projection: np.maximum(matrix, -255)),
    "synaptic sum shifted by 5": Fault("plain", "shifted", lambda s, total: wrap(total << 5, 32)),
    "convolution sums of 13 bits": Fault("plain", "conv", lambda s, total: wrap(total, 13)),
    "messages of 4 bits": Fault("plain", "message", lambda s, values: values & 15),
    "messages of 8 bits": Fault("limits", "message", lambda s, values: values & 255),
    "kernel turned round": Fault(
        "plain", "kernel", lambda s, q: q if q.geometry is None else replace(q, weight=q.weight[..., ::-1, ::-1])
    ),
    "padding on one side": Fault(
        "plain",
        "kernel",
        lambda s, q: q if q.geometry is None else replace(q, geometry=replace(q.geometry, padding=(1, 0))),
    ),
    "last neuron silent": Fault("plain", "fires", _never_last),
    "negative membranes held at 0": Fault("plain", "clipped", _rectified),
    "current decay rounds down": Fault("filtered", "decay_u", lambda s, u, du: u * (4095 - du) >> 12),
    "current decay rounds to nearest": Fault("filtered", "decay_u", lambda s, u, du: _nearest(u, 4095 - du)),
    "current decay without its offset": Fault("filtered", "decay_u", lambda s, u, du: decayed(u, 4096 - du)),
    "current decay with its offset twice": Fault("filtered", "decay_u", lambda s, u, du: decayed(u, 4094 - du)),
    "current decays after the sum": Fault("filtered", "current", lambda s, u, du, x: s.decay_u(u + x, du)),
    "no current filter": Fault("filtered", "decay_u", lambda s, u, du: u * 0),
    "delays one too long": Fault("filtered", "source_step", lambda s, t, delay, recurrent: t - delay - (delay > 0)),
    "delays one too short": Fault("filtered", "source_step", lambda s, t, delay, recurrent: t - delay + (delay > 1)),
    "the first step is lost": Fault("plain", "source_step", lambda s, t, delay, recurrent: t - delay - 1),
    "recurrent spikes lost": Fault(
        "filtered", "source_step", lambda s, t, delay, recurrent: -1 if recurrent else t - delay
    ),
    "membrane clips one too high": Fault("limits", "clipped", lambda s, v: np.clip(v, -LIMIT, LIMIT)),
    "membrane clips at the top alone": Fault("limits", "clipped", lambda s, v: np.minimum(v, LIMIT - 1)),
    "membrane clips at the bottom alone": Fault("limits", "clipped", lambda s, v: np.maximum(v, -LIMIT + 1)),
    "membrane wraps": Fault("limits", "clipped", lambda s, v: wrap(v, 24)),
    "current does not wrap": Fault("limits", "wrapped", lambda s, u: u),
    "current clips": Fault("limits", "wrapped", _saturated),
    "lower bound one too low": Fault("options", "bounded", lambda s, v, low: np.maximum(v, low - 1)),
    "lower bound one too high": Fault("options", "bounded", lambda s, v, low: np.maximum(v, np.minimum(low + 1, 0))),
    "lower bound of one neuron for all": Fault("options", "bounded", lambda s, v, low: np.maximum(v, low[0])),
    "lower bound at 0": Fault("options", "bounded", lambda s, v, low: np.maximum(v, 0)),
    "lower bound is an upper one too": Fault("options", "bounded", lambda s, v, low: np.clip(v, low, -low)),
    "what falls below the bound goes to 0": Fault("options", "bounded", lambda s, v, low: np.where(v < low, 0, v)),
    "no lower bound": Fault("options", "bounded", lambda s, v, low: v),
    "refractory one step too short": Fault(
        "options", "wait", lambda s, waits, fired, many: np.where(fired, max(0, many - 1), np.maximum(waits - 1, 0))
    ),
    "refractory one step too long": Fault(
        "options", "wait", lambda s, waits, fired, many: np.where(fired, many + (many > 0), np.maximum(waits - 1, 0))
    ),
    "refractory keeps what the reset left": Fault(
        "options", "held", lambda s, v, waits, before, vth: np.where(waits > 0, before, v)
    ),
    "refractory integrates but does not fire": Fault(
        "options", "held", lambda s, v, waits, before, vth: np.where(waits > 0, np.minimum(v, vth), v)
    ),
    "refractory holds one step, whatever is left": Fault(
        "options", "held", lambda s, v, waits, before, vth: np.where(waits == 1, 0, v)
    ),
    "no refractory time": Fault("options", "held", lambda s, v, waits, before, vth: v),
    "start ignored": Fault("options", "start", lambda s, v, samples: np.zeros((samples, len(v)), np.int64)),
    "start ignored from the second sample on": Fault("options", "start", _started_once),
    "start one too high": Fault(
        "options", "start", lambda s, v, samples: np.repeat(v[None] + (v != 0), samples, axis=0)
    ),
    "start without sign": Fault("options", "start", lambda s, v, samples: np.repeat(np.abs(v)[None], samples, axis=0)),
    "start of one neuron for all": Fault(
        "options", "start", lambda s, v, samples: np.broadcast_to(v[0], (samples, len(v)))
    ),
    "one spike more than the most": Fault(
        "options", "times", lambda s, v, vth, most: np.clip((v - 1) // vth, 0, most + 1)
    ),
    "one spike fewer than the most": Fault(
        "options", "times", lambda s, v, vth, most: np.clip((v - 1) // vth, 0, most - 1)
    ),
    "several spikes on whole multiples": Fault("options", "times", lambda s, v, vth, most: np.clip(v // vth, 0, most)),
    "several spikes, the first at the threshold twice": Fault(
        "options", "times", lambda s, v, vth, most: np.clip((v - 1) // vth - 1, 0, most)
    ),
    "several spikes take one threshold off": Fault("options", "taken_off", lambda s, vth, times: vth),
    "several spikes take one too few off": Fault(
        "options", "taken_off", lambda s, vth, times: vth * np.maximum(times - 1, 1)
    ),
    "several spikes are sent as one": Fault("options", "sent", lambda s, times: np.minimum(times, 1)),
    "current wraps a bit too late": Fault("limits", "wrapped", lambda s, u: wrap(u, 25)),
}
