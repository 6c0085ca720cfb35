"""Two neurons on Loihi 2, the first driven by a bias, the second by the first (Balafrej et al. 2025).

Registers: NECOTIS/TemporalLearningInRSNNs at 3e64b51, loihi_experiment/delay.py; its 10 million steps are counted as
STEPS, over which both fire as regularly. Each neuron has a core of its own, as Lava's compiler places processes.
"""

from __future__ import annotations

import numpy as np

from dalif_deploy.hw_models.chip_network.form import ChipNetwork
from dalif_deploy.hw_models.samples.recording import EncodedInput

from .layers import Layer, biased, stack

BIAS = {25: 417, 50: 470, 100: 640}  # spikes a second, of 1000 steps each
STEPS = 4000


def lif_pair(rate: int) -> tuple[ChipNetwork, EncodedInput]:
    """The pair, with the bias for one of the published rates."""
    first = Layer(np.zeros(0), 64, dv=410)
    second = Layer(np.array([[128]]), 64, dv=4095)
    network = stack(STEPS, (1,), [second], input_neurons=first)
    return network, biased(network, np.full((1, 1), BIAS[rate]))
