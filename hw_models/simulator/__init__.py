"""The batched simulator of a ChipNetwork: the same bits as Lava's bit-accurate processes, many samples at a time.

What else these bits were held against: docs/arithmetic-held-against.md.
"""

from .batched import simulate, simulate_chunks

__all__ = ["simulate", "simulate_chunks"]
