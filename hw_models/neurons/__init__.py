"""Neurons: what each NIR node of the LIF family means, a file each, and the table of them.

Everything that must know a neuron (graph checks, float reference, compiler, exporters, docs) takes it from here.
"""

from __future__ import annotations

import nir

from .contract import FloatCell, Neuron, RecurrentNeuron
from .cuba_li import CubaLi
from .cuba_lif import CubaLif
from .i import Integrator
from .if_ import If
from .li import Li
from .lif import Lif
from .recurrence import NeuronDynamics
from .threshold import Threshold

__all__ = ["NEURONS", "FloatCell", "Neuron", "NeuronDynamics", "RecurrentNeuron", "neuron_dynamics"]

NEURONS: dict[type[nir.NIRNode], Neuron] = {
    neuron.node: neuron for neuron in (Lif(), If(), CubaLif(), Li(), Integrator(), CubaLi(), Threshold())
}


def neuron_dynamics(name: str, node: nir.NIRNode, dt: float) -> NeuronDynamics:
    """Coefficients of a NIR neuron's recurrence at time step `dt` (seconds).

    Raises:
        UserError: dt larger than twice a time constant (the Euler step would grow), a time constant <= 0, or a neuron
            that is more than this recurrence.
    """
    return NEURONS[type(node)].dynamics(name, node, dt)
