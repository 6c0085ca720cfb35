"""The integrator: an IF that never fires."""

from __future__ import annotations

import nir

from .contract import RecurrentNeuron
from .recurrence import NeuronDynamics, NodeReader


class Integrator(RecurrentNeuron):
    """Coefficients: beta = 1, gain = r dt, offset = 0."""

    node = nir.I
    equation = "v' = r x"
    parameters = ("r",)
    state = ("v",)
    spikes = False

    def dynamics(self, name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
        """See `Neuron.dynamics`."""
        read = NodeReader(name, node, dt)
        return NeuronDynamics(**read.integrating(), **read.reads())
