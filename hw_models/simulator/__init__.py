"""The batched simulator of a ChipNetwork: the same bits as Lava's bit-accurate processes, many samples at a time."""

from .batched import simulate, simulate_chunks

__all__ = ["simulate", "simulate_chunks"]
