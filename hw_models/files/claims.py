"""How much a file may claim to hold: read before any memory is asked for."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import UserError

# deflate, which HDF5, .npz and .gz files are compressed with, makes at most 1032 bytes of one
EXPANSION = 1100
ALLOWANCE = 1 << 20  # bytes that a small file may claim whatever its size


def most_claimed(path: str | os.PathLike[str]) -> int:
    """Bytes that a file's content may take in memory: no more than its bytes can hold, and half of this machine's
    memory, since whoever reads it makes at least one copy in another type."""
    return min(EXPANSION * Path(path).stat().st_size + ALLOWANCE, half_of_memory())


def half_of_memory() -> int:
    """Bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def check_claim(path: str | os.PathLike[str], claimed: int, *, what: str, remedy: str) -> None:
    """Raises UserError where `claimed` bytes are more than the file may claim."""
    if claimed > most_claimed(path):
        raise UserError(
            f"{what} claims {claimed:,} bytes, more than this file or half of the memory can hold",
            where=str(path),
            remedy=remedy,
        )
