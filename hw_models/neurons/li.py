"""The leaky integrator: a LIF that never fires."""

from __future__ import annotations

import nir

from .contract import RecurrentNeuron
from .recurrence import NeuronDynamics, NodeReader


class Li(RecurrentNeuron):
    """Coefficients: beta = 1 - dt/tau, gain = r dt/tau, offset = v_leak dt/tau."""

    node = nir.LI
    equation = "tau v' = (v_leak - v) + r x"
    parameters = ("v_leak", "tau", "r")
    state = ("v",)
    spikes = False

    def dynamics(self, name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
        """See `Neuron.dynamics`."""
        read = NodeReader(name, node, dt)
        return NeuronDynamics(**read.leaky("tau"), **read.reads())
