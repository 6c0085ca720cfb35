"""Whatever libraries make of a damaged file, as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

from ..errors import UserError


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
        raise UserError(f"{what} ({_reason(error)})", where=str(where), remedy=remedy) from error


def _reason(error: Exception) -> str:
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, KeyError) and " " not in str(error):  # whose text is the bare key; h5py's is a sentence
        return f"no {error}"
    first_line = str(error).strip().partition("\n")[0]
    return first_line or type(error).__name__
