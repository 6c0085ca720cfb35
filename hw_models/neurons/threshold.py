"""A neuron without a memory: it fires where its input is above the threshold."""

from __future__ import annotations

import nir
import numpy as np

from .contract import RecurrentNeuron
from .recurrence import ZERO, NeuronDynamics, NodeReader


class Threshold(RecurrentNeuron):
    """Coefficients: beta = 0, gain = 1."""

    node = nir.Threshold
    equation = "v = x"
    parameters = ("threshold",)
    state = ()
    spikes = True

    def dynamics(self, name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
        """See `Neuron.dynamics`."""
        read = NodeReader(name, node, dt)
        return NeuronDynamics(ZERO, np.array(1.0), ZERO, threshold=read("threshold"))
