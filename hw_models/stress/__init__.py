"""Samples that make a compiled network do what data leaves out: found by search over inputs, on the exact simulator.

trains        families of inputs: dense, sparse, alternating, bursts and long silence, registers near their limits
influence     which inputs raise a neuron, by the signs of the weights on the way to it
search        the search itself: neurons that are silent yet, thresholds met exactly
"""

from .search import StressSamples, stress_samples

__all__ = ["StressSamples", "stress_samples"]
