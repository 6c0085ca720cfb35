"""Pickle files that may hold plain values and numpy arrays, and no code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

# what an array of Python 2's numpy names; anything else would be called while the file is read
_ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no plain value")
        return super().find_class(module, name)


def read_plain_pickle(path: Path) -> Any:
    """What a file of Python 2 holds; its text as str, byte for byte (latin-1).

    Raises:
        pickle.UnpicklingError: it asks for anything but numpy arrays and plain values.
        Exception: of any kind, where the file is damaged.
    """
    with open(path, "rb") as file:
        return _PlainUnpickler(file, encoding="latin1").load()
