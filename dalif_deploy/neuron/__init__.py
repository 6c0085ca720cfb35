"""The DA-LIF neuron: decays of space and time learned apart."""

from dalif_deploy.neuron.dalif import DALIF

__all__ = ["DALIF"]
