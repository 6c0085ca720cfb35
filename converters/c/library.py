"""A network built as a shared library, kept for the next time."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_file

from .compiler import find_compiler
from .generate import SOURCES, write_sources
from .plan import Plan

ENGINE_SOURCES = (*SOURCES, "engine.c")
MOST_KEPT, MOST_BYTES = 64, 1 << 28  # libraries, those that were used last
ABANDONED = 3600  # seconds after which a file that is being written isn't any more
NAME = re.compile(r"[0-9a-f]{64}-[0-9a-f]{64}\.so")


def load_library(plan: Plan, flags: tuple[str, ...] | None = None, *, cache: bool = True) -> ctypes.CDLL:
    """Builds the library of a network, or takes the one that was built of the same sources by the same compiler.

    Built libraries lie in a folder that nobody else can write to; where there is no such folder, the network is built
    each time.

    Args:
        flags: of the compiler, instead of those for speed.

    Raises:
        UserError: no compiler, or it fails.
    """
    compiler = find_compiler(flags)
    with tempfile.TemporaryDirectory(prefix="dalif-deploy-c-") as name:
        folder = Path(name)
        write_sources(plan, folder, ENGINE_SOURCES, title="")
        digest = hashlib.sha256(repr(compiler).encode())
        for source in ENGINE_SOURCES:
            digest.update((folder / source).read_bytes())
        kept = cache_folder() if cache else None
        if kept is not None and (found := _kept_library(kept, digest.hexdigest())):
            return found
        built = folder / "network.so"
        compiler.build_library([folder / s for s in ENGINE_SOURCES if s.endswith(".c")], built)
        if kept is not None:
            with suppress(UserError, OSError):  # a full disk: without a cache, then
                _keep(built, kept, digest.hexdigest())
        return ctypes.CDLL(str(built))


def _kept_library(folder: Path, digest: str) -> ctypes.CDLL | None:
    for path in folder.glob(f"{digest}-*.so"):
        # a library that is cut short would end this process when it is loaded
        with suppress(OSError):
            if path.stem == f"{digest}-{_sha256(path)}":
                path.touch()
                return ctypes.CDLL(str(path))
            path.unlink()
    return None


def _keep(built: Path, folder: Path, digest: str) -> None:
    # another process may be at the same: each renames a whole file of its own to a name that says what is in it
    with atomic_file(folder / f"{digest}-{_sha256(built)}.so", own_place=True) as temporary:
        temporary.write_bytes(built.read_bytes())
    _make_room(folder)


def _make_room(folder: Path) -> None:
    """Removes what was used longest ago beyond the bounds, and what a process that was killed left; nothing else."""
    kept, size = 0, 0
    ours = [(path.stat(), path) for path in folder.iterdir() if NAME.fullmatch(path.name)]
    for found, path in sorted(ours, key=lambda each: -each[0].st_mtime):
        kept, size = kept + 1, size + found.st_size
        # the last one may be as large as it likes
        if kept > 1 and (kept > MOST_KEPT or size > MOST_BYTES):
            path.unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.name.startswith(".") and NAME.match(path.name, 1) and path.stat().st_mtime < time.time() - ABANDONED:
            path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cache_folder() -> Path | None:
    """`$XDG_CACHE_HOME/dalif-deploy/c`, private to the user; None where that can't be had."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "dalif-deploy" / "c"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except (OSError, RuntimeError):
        return None
    private = found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return folder if private and os.access(folder, os.W_OK) else None
