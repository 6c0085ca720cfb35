"""Networks of DA-LIF neurons, described by plain data."""

from dalif_deploy.networks.spec import NetworkSpec, NeuronSpec, build_network
from dalif_deploy.networks.spiking_network import SpikingNetwork

__all__ = ["NetworkSpec", "NeuronSpec", "SpikingNetwork", "build_network"]
