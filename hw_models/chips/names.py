"""Which chips there are, by the names of their files, and which one is meant where none is named.

Free of pydantic and torch: the help of the commands reads it.
"""

from __future__ import annotations

from pathlib import Path

CHIP_FOLDER = Path(__file__).parent
DEFAULT_CHIP = "loihi2"


def chip_names() -> list[str]:
    """Names of all chips that have a file."""
    return sorted(path.stem for path in CHIP_FOLDER.glob("*.toml"))


def either_chip() -> str:
    """The names for a sentence: "a, b or c"."""
    *others, last = chip_names()
    return f"{', '.join(others)} or {last}" if others else last
