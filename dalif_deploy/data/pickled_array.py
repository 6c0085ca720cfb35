"""Pickles of numpy arrays and plain values, as Python 2 wrote them; no code in them is run, and nothing of numpy's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from dalif_deploy.hw_models.files.plain_pickle import PlainUnpickler


class _Type:
    """What stands for numpy's dtype: its name as it was given, "u1" or the like."""

    def __init__(self, name: Any, *_: Any):
        self.name = name

    def __setstate__(self, state: Any) -> None:
        pass  # byte order and alignment; bytes have none


class _Array:
    """What stands for an array: numpy's own `_reconstruct` and `ndarray` would make one of any size."""

    def __init__(self, *_: Any):
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


# all that an array of Python 2's numpy names
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): object(),
    ("numpy", "dtype"): _Type,
}


def read_plain_pickle(path: Path) -> Any:
    """What a file of Python 2 holds; its text as str, byte for byte (latin-1); arrays as `plain_array` takes them.

    Raises:
        pickle.UnpicklingError: it asks for anything but numpy arrays and plain values.
        Exception: of any kind, where the file is damaged.
    """
    return PlainUnpickler(path.read_bytes(), _ALLOWED).load()


def plain_array(value: Any) -> np.ndarray:
    """The array of bytes that `value` stands for.

    Raises:
        TypeError, ValueError: no array of bytes, or more values than it holds.
    """
    if not isinstance(value, _Array):
        raise TypeError(f"{type(value).__name__}, no array")
    _, shape, dtype, by_column, content = value.state
    if not isinstance(dtype, _Type) or dtype.name != "u1":
        raise ValueError("data is no array of bytes")
    raw = content.encode("latin1") if isinstance(content, str) else content
    if math.prod(shape) != len(raw):
        raise ValueError(f"shape {list(shape)} for {len(raw)} bytes")
    return np.frombuffer(raw, np.uint8).reshape(shape, order="F" if by_column else "C")
