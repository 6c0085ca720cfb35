"""Data sets by name, and arrays from .npz files.

Names below load when first used: the commands' `--help` reads `data_sets`, and must not wait for numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "LabelledData": "dalif_deploy.data.labelled_data",
    "LazySamples": "dalif_deploy.data.lazy_samples",
    "load_data": "dalif_deploy.data.load",
}
__all__ = list(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
