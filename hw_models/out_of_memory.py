"""Tells an error of a memory allocator from others."""

from __future__ import annotations


def is_out_of_memory(error: BaseException) -> bool:
    """True for MemoryError and for what torch raises, which on the CPU is a RuntimeError without a type of its own."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and "memory" in text and ("alloc" in text or "create a memory" in text)
