"""A slow chip: Python integers, one synapse at a time, written from the register equations alone.

The independent side of every comparison with the batched simulator. Nothing here is shared with it.
"""

import itertools
import math

import numpy as np


def trunc_decay(value, keep):
    return int(math.copysign((abs(value) * keep) >> 12, value)) if value else 0


def synapses(projection, source_shape, target_shape):
    """(source index, target index, weight) of every synapse, zero weights left out."""
    weight = projection.weight
    if projection.geometry is None:
        sources = list(np.ndindex(*source_shape))
        targets = list(np.ndindex(*target_shape))
        for o, i in itertools.product(range(weight.shape[0]), range(weight.shape[1])):
            if weight[o, i]:
                yield sources[i], targets[o], int(weight[o, i])
        return
    g = projection.geometry
    outs_per_group = weight.shape[0] // g.groups
    for target in np.ndindex(*target_shape):
        channel, *place = target
        group = channel // outs_per_group
        for inner in range(weight.shape[1]):
            for offset in np.ndindex(*weight.shape[2:]):
                where = [
                    p * s - pad + o * d
                    for p, s, pad, o, d in zip(place, g.stride, g.padding, offset, g.dilation, strict=True)
                ]
                if all(0 <= w < n for w, n in zip(where, source_shape[1:], strict=True)):
                    value = int(weight[(channel, inner, *offset)])
                    if value:
                        yield (group * weight.shape[1] + inner, *where), target, value


def wrap(value, bits):
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def run(network, encoded):
    """spikes, membranes: name -> [N, T, *shape] int arrays."""
    n, steps = encoded.samples, encoded.steps
    wires = {
        p.name: list(synapses(p, network.source_shape(p.source), network.populations[p.target].shape))
        for p in network.projections.values()
    }
    depth = network.depths()
    order = sorted(network.populations, key=lambda name: depth[name])
    spikes = {k: np.zeros((n, steps, *p.shape), dtype=np.int64) for k, p in network.populations.items()}
    membranes = {k: np.zeros((n, steps, *p.shape), dtype=np.int64) for k, p in network.populations.items()}
    for sample in range(n):
        u = {k: np.zeros(p.shape, dtype=object) for k, p in network.populations.items()}
        v = {k: np.broadcast_to(p.v_start, p.shape).astype(object) for k, p in network.populations.items()}
        waits = {k: np.zeros(p.shape, dtype=int) for k, p in network.populations.items()}
        for t in range(steps):
            for name in order:
                p = network.populations[name]
                total = {index: 0 for index in np.ndindex(*p.shape)}
                for projection in network.incoming(name):
                    if t < projection.delay:
                        continue
                    if projection.source in encoded.messages:
                        stream = encoded.messages[projection.source]
                        message = stream[sample, 0 if stream.shape[1] == 1 else t - projection.delay]
                    else:
                        message = spikes[projection.source][sample, t - projection.delay]
                    part = {index: 0 for index in total}
                    for source, target, weight in wires[projection.name]:
                        if message[source]:
                            part[target] += weight * 2**projection.weight_exp * int(message[source])
                    for index, value in part.items():
                        total[index] += wrap(value, 24) if projection.geometry is not None else value
                for index in total:
                    register = {
                        key: int(np.broadcast_to(getattr(p, key), p.shape)[index])
                        for key in ("du", "dv", "vth", "bias_mant", "bias_exp")
                    }
                    bias = register["bias_mant"] << register["bias_exp"]
                    if name in encoded.bias:
                        mant, exp = encoded.bias[name]
                        bias = int(mant[sample][index]) << int(exp[sample][index])
                    current = trunc_decay(u[name][index], 4096 - register["du"] - 1) + wrap(total[index] << 6, 32)
                    current = wrap(current, 32)
                    first = current - 2**24 if current > 2**23 else current
                    current = current + 2**24 if first <= -(2**23) else first
                    u[name][index] = current
                    value = trunc_decay(v[name][index], 4096 - register["dv"]) + current + bias
                    value = max(-(2**23) + 1, min(2**23 - 1, value))
                    if p.v_min is not None:
                        value = max(value, int(np.broadcast_to(p.v_min, p.shape)[index]))
                    if waits[name][index]:
                        waits[name][index] -= 1
                        value = 0
                    if value > register["vth"] << 6:
                        times = 1
                        while times < p.max_spikes and value > (times + 1) * (register["vth"] << 6):
                            times += 1
                        spikes[name][sample, t][index] = times
                        value = 0 if p.reset == "zero" else value - times * (register["vth"] << 6)
                        waits[name][index] = p.refractory
                    v[name][index] = value
                    membranes[name][sample, t][index] = value
    return spikes, membranes
