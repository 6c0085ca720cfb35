"""A trained ReLU network as a rate-coded spiking one."""

from dalif_deploy.rate_coding.convert import RateCodedNetwork, convert

__all__ = ["RateCodedNetwork", "convert"]
