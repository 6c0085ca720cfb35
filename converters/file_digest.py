"""The name of a file's content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dalif_deploy.hw_models.errors import UserError


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal.

    Raises:
        UserError: it can't be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"can't be read ({error.strerror})", where=str(path), remedy="check its permissions") from error
