"""The compiler's float form of a network stepped as it stands, synapse matrices written out: what folding must keep."""

from __future__ import annotations

import numpy as np

from dalif_deploy.hw_models.compiler.populations import Drive, FloatNetwork


def matrix(drive: Drive) -> np.ndarray:
    """[out, in] over flattened neurons, tap by tap."""
    m = drive.map
    if m.geometry is None:
        return m.weight
    size = int(np.prod(m.in_shape)), int(np.prod(m.out_shape))
    full = np.zeros(size)
    g, per_group = m.geometry, len(m.weight) // m.geometry.groups
    for place in np.ndindex(m.out_shape):
        first = place[0] // per_group * m.weight.shape[1]
        for channel, *tap in np.ndindex(m.weight.shape[1:]):
            at = [p * s - pad + t * d for p, s, pad, t, d in zip(place[1:], g.stride, g.padding, tap, g.dilation)]  # noqa: B905
            if all(0 <= a < n for a, n in zip(at, m.in_shape[1:], strict=True)):
                index = (
                    np.ravel_multi_index((first + channel, *at), m.in_shape),
                    np.ravel_multi_index(place, m.out_shape),
                )
                full[index] += m.weight[(place[0], channel, *tap)]
    return full.T


class UndecidedError(Exception):
    """A membrane so near its threshold that the order of a float sum decides."""


def step_float_network(network: FloatNetwork, inputs: dict[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """Population -> [N, T, size]: spikes, and for what does not fire its membrane.

    Raises:
        UndecidedError.

    Args:
        inputs: [N, T, *shape].
    """
    samples = len(next(iter(inputs.values())))
    sent = {name: x.reshape(samples, steps, -1).astype(float) for name, x in inputs.items()}
    size = {name: int(np.prod(p.shape)) for name, p in network.populations.items()}
    sent |= {name: np.zeros((samples, steps, n)) for name, n in size.items()}
    state = {name: [np.zeros((samples, n)), np.zeros((samples, n))] for name, n in size.items()}
    waits = {name: np.zeros((samples, n), int) for name, n in size.items()}
    for name, p in network.populations.items():  # membranes count from the reset value
        state[name][1] += np.broadcast_to(p.dynamics.start - p.dynamics.reset_value, p.shape).ravel()
    matrices = {id(d): matrix(d) for p in network.populations.values() for d in p.drives}
    waiting = list(network.populations)
    order: list[str] = []
    while waiting:
        ready = [
            n for n in waiting if all(d.source not in waiting or d.map.delay for d in network.populations[n].drives)
        ]
        order += ready
        waiting = [n for n in waiting if n not in ready]
    for t in range(steps):
        for name in order:
            p, d = network.populations[name], network.populations[name].dynamics

            def wide(values, shape=p.shape):
                return np.broadcast_to(values, shape).ravel()

            u, v = state[name]
            current = np.zeros_like(v)
            for drive in p.drives:
                if t >= drive.map.delay:
                    current = current + sent[drive.source][:, t - drive.map.delay] @ matrices[id(drive)].T
            if d.syn_beta is not None:
                u = wide(d.syn_beta) * u + current
                current = u
            v = wide(d.beta) * v + current + wide(p.bias)
            if d.v_min is not None:
                v = np.maximum(v, wide(d.v_min - d.reset_value))
            v = np.where(waits[name] > 0, 0.0, v)
            if p.fires:
                threshold = wide(d.threshold - d.reset_value)
                levels = np.arange(1, d.max_spikes + 1)[:, None, None] * threshold
                if (np.abs(v - levels) < 1e-9 * (np.abs(levels) + np.abs(v))).any():
                    raise UndecidedError
                sent[name][:, t] = fired = (v > levels).sum(0)
                v = v - fired * threshold if d.reset == "subtract" else np.where(fired, 0.0, v)
                waits[name] = np.where(fired, d.refractory, np.maximum(waits[name] - 1, 0))
            else:
                sent[name][:, t] = v
            state[name] = [u, v]
    return sent
