"""Samples on their way through a network: data, the integers that enter a chip, what engines recorded."""
