"""The register equations with what ChipNetworks do not have: refractory times and a narrow synaptic accumulator.

Plain loops over steps. After a spike a membrane stays at 0 for `period - 1` steps, in which its current goes on, as in
Brian2Loihi and nengo-loihi; a period of 1 is no refractory time. What arrives in a step wraps at `synaptic_bits`, the
sign aside, as in nengo-loihi.
"""

import numpy as np

from dalif_deploy.hw_models.chip_network.synapse_list import synapse_list


def run(network, encoded, periods, synaptic_bits=31):
    """(spikes, membranes, largest |synaptic sum of a step|, before it wraps); the first two name -> [N, T, *shape].

    `periods`: population -> steps.
    """
    largest, half = 0, 1 << synaptic_bits
    n, steps, depths = encoded.samples, encoded.steps, network.depths()
    order = sorted(network.populations, key=depths.get)
    sent = {name: m.reshape(n, steps, -1).astype(np.int64) for name, m in encoded.messages.items()}
    membranes, u, v, waits = {}, {}, {}, {}
    for name, p in network.populations.items():
        sent[name], membranes[name] = (np.zeros((n, steps, p.size), np.int64) for _ in range(2))
        u[name], v[name], waits[name] = (np.zeros((n, p.size), np.int64) for _ in range(3))
    matrices = {}
    for q in network.projections.values():
        shapes = network.source_shape(q.source), network.populations[q.target].shape
        matrices[q.name] = np.zeros((int(np.prod(shapes[0])), int(np.prod(shapes[1]))), np.int64)
        source, target, weight = synapse_list(q, *shapes)
        matrices[q.name][source, target] = weight << q.weight_exp
    for t in range(steps):
        for name in order:
            p = network.populations[name]
            arriving = np.zeros((n, p.size), np.int64)
            for q in network.incoming(name):
                if t >= q.delay:
                    arriving += sent[q.source][:, t - q.delay] @ matrices[q.name]
            largest = max(largest, int(np.abs(arriving * 64).max()))
            arriving = (arriving * 64 + half) % (2 * half) - half
            u[name] = decayed(u[name], 4095 - p.du) + arriving
            value = decayed(v[name], 4096 - p.dv) + u[name] + np.broadcast_to(p.bias, p.shape).ravel()
            value[waits[name] > 0] = 0
            fired = value > p.vth * 64
            value[fired] = 0
            waits[name] = np.where(fired, periods[name] - 1, np.maximum(waits[name] - 1, 0))
            v[name], sent[name][:, t], membranes[name][:, t] = value, fired, value
    shaped = [
        {name: each[name].reshape(n, steps, *p.shape) for name, p in network.populations.items()}
        for each in (sent, membranes)
    ]
    return shaped[0], shaped[1], largest


def decayed(x, keep):
    return np.sign(x) * (np.abs(x) * keep >> 12)
