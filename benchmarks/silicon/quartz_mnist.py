"""A MNIST network in time-to-first-spike code on Loihi 1 (Lenz et al., Quartz; biphasic/Quartz-on-Loihi).

Each pixel and each neuron fires once a sample, at step T * (1 - value) of its layer's window; support neurons (sync,
rectifier, bias) fire once; a neuron that has fired inhibits itself. So events hardly depend on the image. Structure:
quartz/layers.py; weights: CNN/models/mnist-convnet.pth, scaled as 03_mnist.ipynb scales them; layers' cores: the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from dalif_deploy.hw_models.energy.silicon import Events

SCALES = (1.2470399948327828, 0.9052967932549607, 1.4555583482919765, 0.2525526552185343)  # 03_mnist.ipynb
LEVELS = 254  # weight_acc
WINDOWS = 5  # input and four layers with weights; pooling adds none


def quartz_events(file: Path, images: np.ndarray, per_layer: int) -> Events:
    """Events of a sample, mean over the images.

    Args:
        file: the ReLU network's weights.
        images: uint8 [N, 28, 28].
        per_layer: steps that code a value, T.
    """
    steps = WINDOWS * per_layer + 2 * WINDOWS + 1  # quartz/network.py
    stored = torch.load(file, map_location="cpu", weights_only=True)
    values = torch.from_numpy(images[:, None] / 255.0).float()
    pixels, operations, active, spikes, messages, neurons = values[0].numel(), 0.0, 0.0, 0.0, 0.0, 0
    for number, (layer, scale) in enumerate(zip(("conv1", "conv2", "conv3", "fc1"), SCALES, strict=True)):
        weight, bias = stored[f"{layer}.weight"] * scale, stored[f"{layer}.bias"] * scale
        stored_weight = torch.ceil(weight * LEVELS)
        stored_weight -= (stored_weight % 2 == 1).float()
        synapses = (stored_weight != 0).float()
        if layer == "fc1":
            values, synapses = values.flatten(1), synapses
            fan_in = functional.linear(torch.ones_like(values[:1]), synapses)
            out = functional.linear(values, weight, bias)
        else:
            fan_in = functional.conv2d(torch.ones_like(values[:1]), synapses)
            out = functional.conv2d(values, weight, bias)
        size = out[0].numel()
        # an input spike a synapse; sync in two parts, bias, rectifier, and what inhibits the neuron itself
        operations += float(fan_in.sum()) + size * (2 + 1 + 1 + 1)
        # silent until its layer's window begins with the first arriving spike; then its membrane is not zero
        first = per_layer * number + 2 * number + per_layer * (1 - values.flatten(1).amax(1).clamp(0, 1).mean().item())
        active += size * (steps - first)
        values = out.clamp(0, 1)
        spikes += size
        messages += 2 * size  # to itself, and to the next layer
        support = 2 + len(bias)
        neurons, spikes, messages = neurons + size + support, spikes + support, messages + support
        if layer in ("conv1", "conv2"):
            values = functional.max_pool2d(values, 2)
            size_in, size = out[0].numel(), values[0].numel()
            operations += size_in + size
            active += size * (steps - first - per_layer * (1 - values.mean().item()))
            neurons, spikes, messages = neurons + size + 2, spikes + size + 2, messages + 2 * size
    return Events(
        steps=steps,
        synaptic_operations_dense=operations,
        synaptic_operations_convolution=0,  # Quartz writes each synapse out
        updates_active=active,
        updates_inactive=neurons * steps - active,
        spikes=spikes,
        messages=messages,
        messages_from_outside=2 * pixels,
        hops_east_west=0,
        hops_north_south=0,
        busiest_operations=None,
        busiest_neurons=None,
    )
