"""Small NIR graphs for tests."""

from itertools import pairwise

import nir
import numpy as np

DT = 1e-4


def lif(shape, beta=0.5, threshold=1.0, gain=1.0, dt=DT, **metadata):
    """LIF whose Euler step is v = beta * v + gain * x."""
    tau = np.broadcast_to(dt / (1 - np.asarray(beta, dtype=float)), shape).copy()
    zero = np.zeros(shape)
    node = nir.LIF(
        tau=tau,
        r=gain * tau / dt,
        v_leak=zero,
        v_threshold=np.broadcast_to(threshold, shape) * 1.0,
        v_reset=zero.copy(),
    )
    node.metadata = metadata
    return node


def chain(*pairs, **metadata):
    """Graph of (name, node) pairs, one after the other."""
    nodes = dict(pairs)
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)), metadata=metadata, type_check=False)


def image_network(rng, *, beta=(0.4, 0.6), size=8, classes=10):
    """conv-LIF-conv-LIF-flatten-affine over [1, size, size]."""
    half = (size + 1) // 2
    return chain(
        ("input", nir.Input({"input": np.array([1, size, size])})),
        ("c1", nir.Conv2d((size, size), rng.normal(size=(8, 1, 3, 3)) * 0.5, 1, 1, 1, 1, rng.normal(size=8) * 0.1)),
        ("b1", lif((8, size, size), beta[0])),
        ("c2", nir.Conv2d((size, size), rng.normal(size=(12, 8, 3, 3)) * 0.2, 2, 1, 1, 1, rng.normal(size=12) * 0.1)),
        ("b2", lif((12, half, half), beta[1])),
        ("flat", nir.Flatten({"input": np.array([12, half, half])}, 0, -1)),
        ("readout", nir.Affine(rng.normal(size=(classes, 12 * half * half)) * 0.1, rng.normal(size=classes) * 0.1)),
        ("output", nir.Output({"output": np.array([classes])})),
    )
