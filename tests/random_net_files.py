"""Random small .net files in the forms that SLAYER writes, for the comparison with lava-dl itself."""

import h5py
import numpy as np

from dalif_deploy.hw_models.chip_network.form import Geometry
from dalif_deploy.hw_models.chip_network.geometry import spatial_output


def random_net_file(path, rng, *, steps=12):
    """Writes a file.

    Returns:
        Messages [steps, *shape] of 0 and 1, or, where the input layer has neurons, their bias mantissas [*shape].
    """
    with h5py.File(path, "w") as file:
        groups = iter(range(9))

        def layer(kind, shape):
            group = file.create_group(f"layer/{next(groups)}")
            group.create_dataset("type", (1,), "S10", [kind])
            group["shape"] = np.array(shape)
            return group

        flat = rng.random() < 0.3
        shape = (int(rng.integers(8, 15)),) if flat else (2, *(int(n) for n in rng.integers(6, 9, 2)))
        group = layer(b"input", shape)
        neurons = rng.random() < 0.3
        if neurons:
            _neuron(group, rng, shape, decay=4096)
            group["weight"], group["bias"] = np.array([36.0]), np.array([12.0])
        data = rng.integers(0, 40, shape) if neurons else (rng.random((steps, *shape)) < 0.4).astype(np.int64)
        if not flat:
            for _ in range(int(rng.integers(1, 3))):
                shape = _convolution(layer, rng, shape)
            shape = (int(np.prod(shape)),)
            layer(b"flatten", shape)
        # what biased layers fire while Lava's pipeline fills reaches the sample through delays, and through them only
        biased = neurons or any("bias" in group for group in file["layer"].values())
        dense = int(rng.integers(1, 4))
        for index in range(dense):
            shape, has_bias = _dense(layer, rng, shape[0], last=index == dense - 1, delayed=not biased)
            biased = biased or has_bias
    return data


def _convolution(layer, rng, shape):
    geometry = Geometry(
        tuple(int(n) for n in rng.integers(1, 3, 2)),
        tuple(int(n) for n in rng.integers(0, 2, 2)),
        tuple(int(n) for n in rng.integers(1, 3, 2)),
        int(rng.integers(1, 3)),
    )
    kernel = tuple(int(n) for n in rng.integers(1, 3 if min(shape[1:]) > 2 else 2, 2))
    out = (int(rng.integers(1, 3)) * 2, *spatial_output(shape[1:], kernel, geometry))
    group = layer(b"conv", out)
    group["weight"] = rng.integers(-40, 60, (out[0], shape[0] // geometry.groups, *kernel)).astype(np.float32)
    group["stride"], group["padding"], group["dilation"] = geometry.stride, geometry.padding, geometry.dilation
    group["groups"] = geometry.groups
    _neuron(group, rng, out)
    each = int(rng.integers(3))
    if each:
        group["bias"] = rng.integers(-15, 16, out[0] if each == 1 else out[::-1]).astype(np.float32)
    return out


def _dense(layer, rng, sources, *, last, delayed):
    targets = int(rng.integers(3, 8))
    group = layer(b"dense", (targets, 1, 1))
    low, high = [(-60, 81), (-255, 253), (0, 40), (0, 256), (-3, 6), (-101, 0)][rng.integers(6 if last else 5)]
    group["weight"] = rng.integers(low, high, (targets, sources)).astype(np.float32)
    delays = int(rng.integers(6))
    if delayed and delays < 4:
        dims = [(), (targets,), (sources,), (targets, sources)][delays]
        group["delay"] = rng.integers(0, 70 if rng.random() < 0.1 else 6, dims).astype(np.float32)
    kind = int(rng.integers(3)) if last else 0
    if kind < 2:
        if rng.random() < 0.5:
            group["bias"] = rng.integers(-15, 16, targets).astype(np.float32)
        _neuron(group, rng, (targets,), threshold=(1 << 18) - 1 if kind else None)
    return (targets,), "bias" in group


def _neuron(group, rng, shape, *, decay=None, threshold=None):
    def register(low, high):
        return rng.integers(low, high, shape[0]) if rng.random() < 0.3 else int(rng.integers(low, high))

    neuron = group.create_group("neuron")
    neuron.create_dataset("type", (1,), "S10", [rng.choice([b"CUBA", b"LOIHI"])])
    neuron["iDecay"] = decay or (4096 if rng.random() < 0.5 else register(500, 4097))
    neuron["vDecay"] = register(0, 4096)
    neuron["vThMant"] = threshold or register(5, 120)
    neuron["refDelay"] = 1
