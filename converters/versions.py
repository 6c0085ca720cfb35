"""Versions of installed packages, for what is written into files."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version(package: str) -> str:
    """Version of a package, or words that say that there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed as a package"
