"""Networks of DA-LIF neurons, described by plain data."""

from dalif_deploy.networks.spec import NetworkSpec, NeuronSpec
from dalif_deploy.networks.spiking_network import SpikingNetwork, build_network

__all__ = ["NetworkSpec", "NeuronSpec", "SpikingNetwork", "build_network"]
