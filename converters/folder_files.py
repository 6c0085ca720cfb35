"""What lies in a folder that was just written, for the file that lists it."""

from __future__ import annotations

from pathlib import Path

from dalif_deploy.hw_models.files.ownership import names_below

from .file_digest import file_digest


def folder_files(folder: Path) -> dict[str, str]:
    """Name, relative to the folder, -> SHA-256 of the bytes, in hexadecimal."""
    return {name: file_digest(folder / name) for name in names_below(folder)}
