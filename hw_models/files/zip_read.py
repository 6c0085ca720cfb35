"""Looks over a zip archive (.npz, checkpoints) of unknown origin before anything is unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import UserError
from .claims import check_claim


def check_zip(path: Path, *, stored: bool, remedy: str) -> dict[str, int]:
    """Sizes in bytes of what it holds, by name.

    Args:
        stored: nothing in it may be compressed, so that it can't be larger than the file.

    Raises:
        UserError: claims more than the file can hold; one name twice.
        zipfile.BadZipFile, OSError, ...: damaged.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    sizes: dict[str, int] = {}
    for member in members:
        if member.filename in sizes:
            raise UserError(f"holds {member.filename} twice", where=str(path), remedy=remedy)
        sizes[member.filename] = member.file_size
        if member.compress_type not in (zipfile.ZIP_STORED, *([] if stored else [zipfile.ZIP_DEFLATED])):
            raise UserError(f"{member.filename} is compressed", where=str(path), remedy=remedy)
    total = sum(sizes.values())
    # parts that overlap are claimed more than once
    if stored and total > path.stat().st_size:
        raise UserError(f"claims {total:,} bytes, more than it holds", where=str(path), remedy=remedy)
    check_claim(path, total, what="its content", remedy=remedy)
    return sizes
