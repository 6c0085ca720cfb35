"""The DVS gesture network that SANA-FE was held against on Loihi 1 (Massa et al. 2020; Boyle et al. 2025).

Weights, thresholds and one input frame: SLAM-Lab/SANA-FE, sanafe/examples/dvs_challenge.npz; layers:
tutorial/tutorial_5_dvs.ipynb. Its thresholds are not those in scripts/tcad2025/dvs_gesture.py (a comment there), so
activity is near, not the same. Weights reach 289 and are halved with the thresholds to fit 9 bits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.samples.recording import EncodedInput

from .layers import Layer, biased, stack

STEPS = 128


def dvs_gesture(file: Path) -> tuple[ChipNetwork, EncodedInput]:
    """The network, and the one frame."""
    found = np.load(file)
    thresholds = [int(v) for v in found["thresholds"]]
    layers = []
    for number, stride in enumerate((2, 1, 1, 1), 1):
        kernel = np.rint(found[f"conv{number}"] / 2).astype(int)  # width, height, in, out
        layers.append(Layer(kernel.transpose(3, 2, 1, 0), thresholds[number] // 2, stride=stride))
    # neurons of a layer lie channels last there
    dense = np.rint(found["dense1"] / 2).astype(int).reshape(9, 9, 11, 11).transpose(3, 2, 0, 1).reshape(11, -1)
    layers.append(Layer(dense, thresholds[5] // 2))
    network = stack(STEPS, (1, 32, 32), layers, input_neurons=Layer(np.zeros(0), thresholds[0]))
    return network, biased(network, found["inputs"].reshape(1, 1, 32, 32).astype(np.int64) * 64)
