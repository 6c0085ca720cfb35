"""Intel's converted MNIST network: four convolutions, pixels as biases, run by NxTF on Loihi 1.

Layers, registers and integers as intel-nrc-ecosystem/models has them (nxsdk_modules_ncl/dnn: tutorials/a_*.ipynb,
src/utils.py, src/dnn_layers.py); weights from its tutorials/models. Convolutions' biases count 2^6, as their weights
do: the tutorial does not say it, and its accuracy follows from it.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.samples.recording import EncodedInput

from .layers import Layer, biased, stack

VTH = 512
STRIDES = (2, 1, 2, 1)


def nxtf_mnist(file: Path, images: np.ndarray, steps: int) -> tuple[ChipNetwork, EncodedInput]:
    """The network and its samples.

    Args:
        file: Keras weights (.h5).
        images: uint8 [N, 28, 28].
    """
    layers = []
    with h5py.File(file) as stored:
        for number, stride in enumerate(STRIDES, 1):
            found = stored[f"model_weights/conv2d_{number}/conv2d_{number}"]
            kernel, bias = found["kernel:0"][()], found["bias:0"][()]
            largest = max(np.abs(kernel).max(), np.abs(bias).max())
            weight = np.clip(kernel / largest * 255, -256, 255).astype(int).transpose(3, 2, 0, 1)
            layers.append(Layer(weight, VTH, (bias / largest * 255).astype(int)[:, None, None] * 64, stride))
    network = stack(steps, (1, 28, 28), layers, input_neurons=Layer(np.zeros(0), VTH))
    return network, biased(network, images[:, None].astype(np.int64) * 64)
