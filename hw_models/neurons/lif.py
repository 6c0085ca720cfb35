"""The leaky integrate-and-fire neuron."""

from __future__ import annotations

import nir

from .contract import RecurrentNeuron
from .recurrence import NeuronDynamics, NodeReader


class Lif(RecurrentNeuron):
    """Coefficients: beta = 1 - dt/tau, gain = r dt/tau, offset = v_leak dt/tau."""

    node = nir.LIF
    equation = "tau v' = (v_leak - v) + r x"
    parameters = ("v_threshold", "tau", "r", "v_leak", "v_reset")
    state = ("v",)
    spikes = True

    def dynamics(self, name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
        """See `Neuron.dynamics`."""
        read = NodeReader(name, node, dt)
        return NeuronDynamics(**read.leaky("tau"), **read.fires())
