"""A CubaLIF that never fires."""

from __future__ import annotations

import nir

from .contract import RecurrentNeuron
from .recurrence import NeuronDynamics, NodeReader


class CubaLi(RecurrentNeuron):
    """Coefficients: syn_beta = 1 - dt/tau_syn, syn_gain = w_in dt/tau_syn; the membrane's as of LIF, by tau_mem."""

    node = nir.CubaLI
    equation = "tau_syn i' = -i + w_in x; tau_mem v' = (v_leak - v) + r i"
    parameters = ("v_leak", "tau_syn", "tau_mem", "r", "w_in")
    state = ("i", "v")
    spikes = False

    def dynamics(self, name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
        """See `Neuron.dynamics`."""
        read = NodeReader(name, node, dt)
        return NeuronDynamics(**read.leaky("tau_mem"), **read.synapse(), **read.reads())
