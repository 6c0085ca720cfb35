"""The points of a sweep as they come, a line each, in a file beside the result: what a half-done sweep goes on from."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.ownership import MARK, carries_mark

ENDING = ".points"


def journal_file(result: Path) -> Path:
    """Where the points of a sweep with that result are kept until it is whole."""
    return result.with_name(result.name + ENDING)


def remove_journal(result: Path | None) -> None:
    """To be called when the result is written: nothing is left to resume."""
    if result is not None:
        journal_file(result).unlink(missing_ok=True)


class Journal:
    """The file, open for more points. Its first line says of what sweep it is.

    Args:
        file: see `journal_file`.
        of: what all points share; another sweep's journal is refused.
        resume: go on with what is there.
        force: begin anew in spite of what is there.

    Attributes:
        points: those that were there, by `key` of their settings.

    Raises:
        UserError: a half-done sweep is there and neither is asked for; there is none to go on with; it is another one;
            the file is not ours or can't be written.
    """

    def __init__(self, file: Path, of: dict[str, Any], *, resume: bool, force: bool):
        self.file = file
        self.points: dict[str, dict[str, Any]] = {}
        first = json.dumps({"mark": MARK, **of})
        if file.exists() and not carries_mark(file):
            raise UserError("is not of a sweep", where=str(file), remedy="move it away")
        try:
            if resume:
                self._file = self._reopened(first)
            elif file.exists() and not force:
                what, remedy = "holds points of a half-done sweep", "pass --resume to go on, or --force to begin anew"
                raise UserError(what, where=str(file), remedy=remedy)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(file, "w+b")  # noqa: SIM115 - see close
                self._write(first)
        except OSError as error:
            raise UserError(f"cannot write ({error.strerror})", where=str(file), remedy="see --json") from error

    def add(self, point: dict[str, Any]) -> None:
        """Keeps a point; it is on the disk, or at least in the system's hands, when this returns."""
        self._write(json.dumps(point, allow_nan=False))

    def close(self) -> None:
        """Ends writing."""
        self._file.close()

    def _write(self, line: str) -> None:
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def _reopened(self, first: str) -> IO[bytes]:
        if not self.file.exists():
            remedy = "check --json, or leave --resume away to begin one"
            raise UserError("there is no sweep to resume", where=str(self.file), remedy=remedy)
        whole = self.file.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]  # a last line cut short was being written when the sweep was killed
        head, *lines = whole.decode("utf-8", "replace").splitlines() or [""]
        if head != first:
            what = "is of a sweep of another network, other data, options or version"
            raise UserError(what, where=str(self.file), remedy="resume with the same, or begin anew with --force")
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                point = json.loads(line)
                self.points[key(point["settings"])] = point
        file = open(self.file, "r+b")  # noqa: SIM115 - see close
        file.truncate(len(whole))
        file.seek(0, 2)
        return file


def key(settings: dict[str, Any]) -> str:
    """A point's name in the journal."""
    return json.dumps(settings, sort_keys=True)
