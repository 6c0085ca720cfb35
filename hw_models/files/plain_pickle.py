"""Pickles that may hold plain values and what their reader names, and no code."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any


# Python's own, not the C one: that keeps its memo in an array, which a pickle of a few bytes can make any size
class PlainUnpickler(pickle._Unpickler):
    """Reads plain values.

    Args:
        content: the whole pickle: what claims to be longer than it ends there.
        allowed: (module, name) -> what stands for it. It is called, or its instances get state, as the pickle says.

    Raises:
        pickle.UnpicklingError: the pickle asks for something else.
        Exception: of any kind, where it is damaged.
    """

    # text of a length that is allocated before it is looked for
    dispatch = {code: load for code, load in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]}  # noqa: RUF012

    def __init__(self, content: bytes, allowed: Mapping[tuple[str, str], Any], encoding: str = "latin1"):
        super().__init__(io.BytesIO(content), encoding=encoding)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        """What `allowed` has."""
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no plain value")
        return self._allowed[module, name]


def require_tree(content: Any, most: int) -> None:
    """Raises pickle.UnpicklingError for values that are more than `most` when what is shared is counted each time.

    A few lists that hold each other ten times over make a value that no memory can hold written out, as messages and
    comparisons do.
    """
    waiting, count = [content], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > most:
            raise pickle.UnpicklingError("values within values without end")
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
