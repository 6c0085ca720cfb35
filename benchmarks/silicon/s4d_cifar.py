"""A state-space layer for sequential CIFAR-10 on Loihi 2: 3-128-512-128-128-10, a pixel a step.

Layers: lava-dl (lava-nc), src/lava/lib/dl/slayer/state_space_models/sCIFAR/profiling_scripts at 1b35217, and what
its compiler prints there. All but one of the layers only sum: each neuron sends a graded message at each step. One
layer has ReLU, and whether its neurons send is not stated: half of them, none to all. Weights that are zero are not
stated either: the 128 by 128 matrix is taken as full.
"""

from __future__ import annotations

from dalif_deploy.hw_models.energy.silicon import Events

SENDERS = (3, 128, 512, 128)  # pixel, encoder, states, their sums
RELU, CLASSES = 128, 10
FAN_OUT = (128, 4, 1, 128)  # to the encoder; four states each; to their sum; full


def s4d_events(share: float) -> Events:
    """Events of a step.

    Args:
        share: of the neurons behind ReLU that send.
    """
    operations = sum(n * fan for n, fan in zip(SENDERS, FAN_OUT, strict=True))
    operations += share * RELU * CLASSES + CLASSES * CLASSES
    spikes = sum(SENDERS[1:]) + share * RELU + CLASSES
    neurons = sum(SENDERS[1:]) + RELU + CLASSES + CLASSES
    return Events(
        steps=1,
        synaptic_operations_dense=operations,
        synaptic_operations_convolution=0,
        updates_active=neurons,
        updates_inactive=0,
        spikes=spikes,
        messages=spikes,  # each layer has one core
        messages_from_outside=SENDERS[0],
        hops_east_west=0,
        hops_north_south=0,
        busiest_operations=float(SENDERS[3] * FAN_OUT[3]),
        busiest_neurons=RELU,
    )
