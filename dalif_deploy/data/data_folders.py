"""Where data sets are looked for, and where a download goes."""

from __future__ import annotations

import os
from pathlib import Path


def data_folders(data_root: str | None, names: tuple[str, ...]) -> list[Path]:
    """Folders called `names` in `data_root`, in $DALIF_DATA and in the user's cache; then those three themselves.

    A folder of the data set's own name goes first: another data set may lie beside it under the same file names.
    """
    roots = [Path(root) for root in (data_root, os.environ.get("DALIF_DATA"), cache_folder()) if root]
    return [root / name for root in roots for name in (*names, "")]


def download_folder(data_root: str | None) -> Path:
    """`data_root`, else $DALIF_DATA, else the user's cache."""
    return Path(data_root or os.environ.get("DALIF_DATA") or cache_folder())


def cache_folder() -> Path:
    """The user's cache, for downloads and for what is computed from data."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(cache) / "dalif-deploy"
