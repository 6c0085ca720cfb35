"""Networks of DA-LIF neurons, described by plain data."""

from dalif_deploy.networks.conv_network import ConvBlock, ConvNetwork
from dalif_deploy.networks.spec import NetworkSpec, NeuronSpec, build_network

__all__ = ["ConvBlock", "ConvNetwork", "NetworkSpec", "NeuronSpec", "build_network"]
