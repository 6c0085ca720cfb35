"""Loihi's neurons as Lava's bit-accurate processes compute them: truncated decays, u wraps, v clips."""

from .arithmetic import LavaArithmetic

__all__ = ["LavaArithmetic"]
