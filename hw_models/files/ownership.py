"""What `--force` may replace: what this program wrote, and nothing else.

A file says so in its own format (`MARK`: a JSON field, a page's meta element, a picture's comment, a zip's comment), a
folder by the file that lists what was written into it. Without such a sign it is a person's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError

MARK = "x-written-by: dalif-deploy"
# a checkpoint's format is its mark; a frame cache and a training's working folder are replaced without asking
_MARKS = (MARK.encode(), b"dalif-deploy checkpoint ")
_ENDS = 1 << 16  # bytes at each end of a file that are looked through
# files that list a folder, under `files`: name -> SHA-256; and what such a folder is
LISTS = {"export.json": "an export", "metrics.json": "a training"}
_ELSEWHERE = "move it away or choose another name"


def require_free(target: str | os.PathLike[str], force: bool, *, folder: str | None = None) -> None:
    """Makes sure that nothing of a person's is lost when `target` is written.

    Args:
        target: file or folder to be written.
        force: whether what this program wrote may be replaced.
        folder: of a folder, the file that will list it, one of `LISTS`. A folder of another kind is not replaced: who
            exports does not mean to lose a training.

    Raises:
        UserError: something stands there, and is not to be replaced or not ours; names the first file in the way.
    """
    target = Path(target)
    if not os.path.lexists(target):
        return
    where = str(target)
    if not force:
        raise UserError("already exists", where=where, remedy="choose another name or pass --force")
    if target.is_symlink():
        raise UserError("is a link, which --force does not replace", where=where, remedy=_ELSEWHERE)
    if folder is not None:
        if not target.is_dir():
            raise UserError("is a file, but a folder is to be written there", where=where, remedy=_ELSEWHERE)
        other = next((kind for name, kind in LISTS.items() if name != folder and _listed(target / name)), None)
        if other is not None:
            what = f"holds {other}, which --force does not replace by {LISTS[folder]}"
            raise UserError(what, where=where, remedy=_ELSEWHERE)
        foreign = _first_foreign(target, _listed(target / folder))
        if foreign is not None:
            what = f"holds {foreign}, which dalif-deploy did not write there: --force does not delete it"
            raise UserError(what, where=where, remedy=_ELSEWHERE)
    elif target.is_dir():
        raise UserError("is a folder, but a file is to be written there", where=where, remedy="choose another name")
    elif not carries_mark(target):
        raise UserError("was not written by dalif-deploy: --force keeps it", where=where, remedy=_ELSEWHERE)


def carries_mark(path: Path) -> bool:
    """Whether the file says that this program wrote it."""
    if not path.is_file():  # a pipe, a device
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_ENDS)
            file.seek(max(0, os.path.getsize(path) - _ENDS))
            tail = file.read(_ENDS)
    except OSError:
        return False
    return any(mark in head or mark in tail for mark in _MARKS)


def names_below(folder: Path) -> Iterator[str]:
    """All that lies in a folder and is no folder with something in it, as names relative to it, in order."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        inside = Path(place).relative_to(folder)
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        yield from ((inside / name).as_posix() for name in sorted([*files, *links]))
        if not folders and not files and inside.parts:
            yield inside.as_posix()


def _first_foreign(folder: Path, listed: set[str]) -> str | None:
    return next((name for name in names_below(folder) if name not in listed), None)


def _listed(list_file: Path) -> set[str]:
    """What the file lists and itself; nothing where it is no list of ours."""
    try:
        files = json.loads(list_file.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
    return {list_file.name, *files} if isinstance(files, dict) else set()
