"""Writes a ChipNetwork as a .net file.

Layout by lava-dl 0.6.0, `netx/hdf5.py` and `netx/utils.py`: groups layer/0, layer/1, …, shapes as (C, H, W), kernels as
PyTorch's, registers of the neurons one a layer.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.hdf5_write import hdf5_file

from .layer_chain import BIAS_STEP, NetLayer, chain_of


def write_net(path: Path, network: ChipNetwork) -> None:
    """Writes the file.

    Raises:
        UserError: see `chain_of`; a bias that is no multiple of 2^6 (see `round_biases`).
    """
    layers = chain_of(network)
    (chip_input,) = network.inputs.values()
    with hdf5_file(path) as file:
        groups = iter(range(len(layers) * 2 + 1))

        def group(kind: str, shape: tuple[int, ...]) -> h5py.Group:
            made = file.create_group(f"layer/{next(groups)}")
            made.create_dataset("type", (1,), "S10", [kind.encode()])
            made["shape"] = np.array(shape, dtype=np.int64)
            return made

        group("input", chip_input.shape)
        before = chip_input.shape
        for layer in layers:
            shape = layer.population.shape
            if layer.geometry is None:
                if len(before) > 1:
                    group("flatten", (int(np.prod(before)),))
                # a dense layer is a vector to netx, whatever its shape
                shape = (layer.population.size,)
                made = group("dense", shape)
            else:
                made = group("conv", shape)
                _geometry(made, layer)
            made["weight"] = layer.weight.astype(np.int32)
            if layer.delays is not None:
                made["delay"] = layer.delays
            _neuron(made, layer)
            before = shape


def _geometry(group: h5py.Group, layer: NetLayer) -> None:
    geometry = layer.geometry
    assert geometry is not None
    for key in ("stride", "padding", "dilation"):
        group[key] = np.array(getattr(geometry, key), dtype=np.int64)
    group["groups"] = geometry.groups


def _neuron(group: h5py.Group, layer: NetLayer) -> None:
    population = layer.population
    neuron = group.create_group("neuron")
    neuron.create_dataset("type", (1,), "S10", [b"LOIHI"])
    neuron["iDecay"] = int(np.max(population.du)) + 1  # netx takes one off
    neuron["vDecay"] = int(np.max(population.dv))
    neuron["vThMant"] = int(np.max(population.vth))
    neuron["refDelay"] = 1
    bias = np.broadcast_to(population.bias, population.shape)
    if (bias % BIAS_STEP).any():
        raise UserError("a bias that is not a multiple of 64", where=population.name, remedy="round it first")
    bias = bias // BIAS_STEP
    if not bias.any():
        return
    flat = bias.reshape(len(bias), -1)
    if layer.geometry is None:
        group["bias"] = bias.ravel().astype(np.int32)
    elif (flat == flat[:, :1]).all():
        group["bias"] = flat[:, 0].astype(np.int32)
    else:
        group["bias"] = np.ascontiguousarray(bias.T).astype(np.int32)  # one a neuron: netx wants (W, H, C)
