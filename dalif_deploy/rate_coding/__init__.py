"""A trained ReLU network as a rate-coded spiking one."""

from dalif_deploy.rate_coding.convert import RateCodedNetwork, accuracy_over_steps, convert

__all__ = ["RateCodedNetwork", "accuracy_over_steps", "convert"]
