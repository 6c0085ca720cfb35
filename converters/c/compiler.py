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
# The first set that the compiler knows. Measured with gcc 12: -O3 takes half as long again as -O2 with every loop
# vectorised, for it unrolls the short loops over the events.
FAST = (
    ("-O2", "-march=native", "-ftree-vectorize", "-fno-vect-cost-model", "-mprefer-vector-width=512"),
    ("-O3", "-march=native"),
    ("-O2",),
)
TIME_LIMIT = 600  # seconds


@dataclass(frozen=True)
class Compiler:
    """A command, its flags for speed, and what it says about itself, which a cache of what it built depends on."""

    command: tuple[str, ...]
    flags: tuple[str, ...]
    version: str

    def build_library(self, sources: list[Path], library: Path) -> None:
        """A shared library.

        Raises:
            UserError: the compiler fails.
        """
        call = [*self.command, "-std=c99", *self.flags, "-fPIC", "-shared", *map(str, sources), "-o", str(library)]
        done = _run(call)
        if done.returncode:
            said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
            raise UserError(f"the C compiler failed: {said}", where=call[0], remedy="set CC to another compiler")


def find_compiler(flags: tuple[str, ...] | None = None) -> Compiler:
    """`$CC`, else cc, gcc or clang.

    Args:
        flags: instead of those for speed.

    Raises:
        UserError: there is none.
    """
    asked = shlex.split(os.environ.get("CC", ""))
    for command in [asked] if asked else [["cc"], ["gcc"], ["clang"]]:
        if not shutil.which(command[0]):
            continue
        for each in FAST if flags is None else (flags,):
            # what -march=native stands for here is part of what it says
            told = _run([*command, *each, "-v", "-E", "-x", "c", os.devnull])
            if not told.returncode:
                return Compiler(tuple(command), each, told.stderr)
    raise UserError(
        f"no C compiler ({shlex.join(asked) or 'cc, gcc, clang'})", remedy="install gcc or clang, or set CC to yours"
    )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIME_LIMIT, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(
            f"the C compiler can't be run ({error})", where=command[0], remedy="set CC to another"
        ) from error
