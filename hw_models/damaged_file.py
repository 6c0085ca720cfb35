"""Whatever libraries make of a damaged file, as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

from hw_models.errors import UserError


@contextmanager
def damage_in_one_line(what: str, *, where: str | PathLike[str], remedy: str) -> Iterator[None]:
    """Around the reading of a file, and nothing else: any error in the block means that the file is at fault.

    Libraries raise errors of any type for bytes that they did not expect: a list of types always misses one.

    Raises:
        UserError: as the block raised it, or `what` with the library's reason.
        MemoryError: as it is, since then the file may be whole.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        lines = str(error).splitlines()
        reason = lines[0] if lines and lines[0].strip() else type(error).__name__
        if isinstance(error, KeyError):  # whose text is the bare key
            reason = f"no {reason}"
        raise UserError(f"{what} ({reason})", where=str(where), remedy=remedy) from error
