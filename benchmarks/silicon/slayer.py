"""Two networks trained with SLAYER on Loihi 1: spoken digits (64-256-256-242) and touch (48-450-28, recurrent).

Weights: intel-nrc-ecosystem/models, nxsdk_modules_contrib/spytorch2loihi. The samples are not to be had, and no
activity is stated: random events of a given rate enter instead. Axonal delays are left out: they move spikes in time.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork, Projection
from dalif_deploy.hw_models.samples.recording import EncodedInput

from .layers import Layer, stack


def slayer(file: Path, rate: float, steps: int) -> tuple[ChipNetwork, EncodedInput]:
    """The network, and one sample of random events.

    Args:
        rate: events a channel and step.
    """
    layers, recurrent = [], None
    with h5py.File(file) as stored:
        for number in sorted(stored["layer"], key=int):
            layer = stored[f"layer/{number}"]
            if "weight" not in layer:
                continue
            neuron = {key: int(layer[f"neuron/{key}"][()]) for key in ("iDecay", "vDecay", "vThMant")}
            weight = np.clip(layer["weight"][()], -256, 255).astype(int)
            layers.append(Layer(weight, neuron["vThMant"], du=neuron["iDecay"] - 1, dv=neuron["vDecay"]))
            if "recWeight" in layer:
                recurrent = np.clip(layer["recWeight"][()], -256, 255).astype(int)
    channels = layers[0].weight.shape[1]
    network = stack(steps, (channels,), layers)
    if recurrent is not None:
        network.projections["loop"] = Projection("loop", "layer1", "layer1", recurrent, delay=1)
    events = np.random.default_rng(0).random((1, steps, channels)) < rate
    return network, EncodedInput(steps, 1, {"input": events.astype(np.int32)})
