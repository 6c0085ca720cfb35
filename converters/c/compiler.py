"""The machine's C compiler."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dalif_deploy.hw_models.errors import UserError

WARNINGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion")
FAST = ("-O3", "-march=native")
TIME_LIMIT = 600  # seconds


@dataclass(frozen=True)
class Compiler:
    """A command and what it says about itself, which a cache of what it built depends on."""

    command: tuple[str, ...]
    version: str

    def build_library(self, sources: list[Path], library: Path, flags: tuple[str, ...]) -> None:
        """A shared library.

        Raises:
            UserError: the compiler fails.
        """
        run_compiler([*self.command, "-std=c99", *flags, "-fPIC", "-shared", *map(str, sources), "-o", str(library)])


def find_compiler() -> Compiler:
    """`$CC`, else cc, gcc or clang.

    Raises:
        UserError: there is none.
    """
    asked = shlex.split(os.environ.get("CC", ""))
    for command in [asked] if asked else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]):
            # what -march=native stands for here is part of what it says
            told = run_compiler([*command, "-march=native", "-v", "-E", "-x", "c", os.devnull])
            return Compiler(tuple(command), told)
    raise UserError(
        f"no C compiler ({shlex.join(asked) or 'cc, gcc, clang'})", remedy="install gcc or clang, or set CC to yours"
    )


def run_compiler(command: list[str]) -> str:
    """What the compiler writes to standard error.

    Raises:
        UserError: it fails, or takes too long.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(
            f"the C compiler can't be run ({error})", where=command[0], remedy="set CC to another"
        ) from error
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        raise UserError(f"the C compiler failed: {said}", where=command[0], remedy="set CC to another compiler")
    return done.stderr
