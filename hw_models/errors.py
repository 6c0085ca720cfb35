"""What goes wrong because of a user's input or surroundings, said in one line."""

from __future__ import annotations


class UserError(Exception):
    """A fault that the user can mend.

    Args:
        what: what is wrong, without a full stop.
        where: the file, layer or node it is about, if there is one.
        remedy: what to do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None):
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return " ".join((f"{text}; {self.remedy}" if self.remedy else text).split())


class CheckFailed(UserError):  # noqa: N818 - it names an outcome, not a fault
    """A comparison that the user asked for did not hold (exit code 1, not 2)."""

    exit_code = 1
