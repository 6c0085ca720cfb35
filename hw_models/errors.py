"""What goes wrong because of a user's input or surroundings, said in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

Entry = TypeVar("Entry")
LONGEST = 500  # characters of what is wrong; the rest of a line is ours


class UserError(Exception):
    """A fault that the user can mend.

    Args:
        what: what is wrong, without a full stop.
        where: the file, layer or node it is about, if there is one.
        remedy: what to do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None):
        self.what, self.where, self.remedy = _shown(what), where, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{_shown(self.where)}: {self.what}" if self.where else self.what
        return f"{text}; {_shown(self.remedy)}" if self.remedy else text


def _shown(text: str) -> str:
    """One line without what would steer a terminal or what no encoding knows: names in files may hold anything."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"


class FitWarning(UserWarning):
    """Data that may be meant for the network, but hardly looks so; commands print it as one line."""


class CheckFailed(UserError):  # noqa: N818 - it names an outcome, not a fault
    """A comparison that the user asked for did not hold (exit code 1, not 2)."""

    exit_code = 1


def listed(names: Iterable[str]) -> str:
    """The names as a sentence has them: "a, b or c"."""
    *before, last = names
    return f"{', '.join(before)} or {last}" if before else last


def chosen(table: Mapping[str, Entry], name: str, kind: str) -> Entry:
    """The entry of that name.

    Args:
        table: name -> entry.
        name: what the user chose.
        kind: what the entries are called ("target").

    Raises:
        UserError: there is none; it lists those that there are.
    """
    if name not in table:
        raise UserError(f"unknown {kind} {name!r}", remedy=f"choose one of {', '.join(table)}")
    return table[name]


def is_out_of_memory(error: BaseException) -> bool:
    """True for MemoryError and for what torch raises, which on the CPU is a RuntimeError without a type of its own."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and "memory" in text and ("alloc" in text or "create a memory" in text)
