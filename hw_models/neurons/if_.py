"""The integrate-and-fire neuron, without a leak."""

from __future__ import annotations

import nir

from .contract import RecurrentNeuron
from .recurrence import NeuronDynamics, NodeReader


class If(RecurrentNeuron):
    """Coefficients: beta = 1, gain = r dt, offset = 0."""

    node = nir.IF
    equation = "v' = r x"
    parameters = ("v_threshold", "r", "v_reset")
    state = ("v",)
    spikes = True

    def dynamics(self, name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
        """See `Neuron.dynamics`."""
        read = NodeReader(name, node, dt)
        return NeuronDynamics(**read.integrating(), **read.fires())
