"""Standard output and error that no terminal, pipe or encoding can make a command fail with."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Output(io.FileIO):
    """What is written once the reader (`head`, `less`) has left goes nowhere: the command's outcome is its own."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            _lead_nowhere(self.fileno())
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Standard output and error of this process: closed ones lead nowhere, unknown characters become `?`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started us
            setattr(sys, name, open(os.devnull, "w", errors="replace"))  # noqa: SIM115 - for the process's life
        elif stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            raw = _Output(stream.fileno(), "wb", closefd=False)
            lines = name == "stderr" or stream.line_buffering
            new = io.TextIOWrapper(
                io.BufferedWriter(raw), encoding=stream.encoding, errors="replace", line_buffering=lines
            )
            setattr(sys, name, new)


def flush_output() -> None:
    """Writes out what standard output still holds.

    Raises:
        OSError: it can't; nothing more is tried then, so that the interpreter's end is quiet.
    """
    try:
        sys.stdout.flush()
    except OSError:
        _lead_nowhere(sys.stdout.fileno())
        sys.stdout.flush()
        raise


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
