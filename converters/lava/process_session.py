"""Ends every process of some sessions, and lets Python's resource tracker remove their shared memory first (Linux)."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

TERM_SECONDS = 3.0  # after SIGTERM, before SIGKILL
TRACKER_SECONDS = 10.0  # for the tracker to remove shared memory after all others are gone
POLL_SECONDS = 0.02


def session_processes(session: int) -> dict[int, str]:
    """Process id -> command line of the living (not zombie) processes of a session."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # "pid (name) state ppid pgrp session ..."; the name may hold spaces and parentheses
            state, _, _, its_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                found[int(entry.name)] = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
        except (OSError, ValueError):  # gone meanwhile
            continue
    return found


def end_sessions(leaders: list[subprocess.Popen[bytes]]) -> None:
    """Ends the sessions that `leaders` lead (started with `start_new_session`), hung and stopped processes included.

    SIGTERM first: the resource tracker of `multiprocessing` ignores it, and when all others are gone it removes the
    shared memory they left. What SIGTERM does not end is killed, the tracker last.
    """
    for leader in leaders:
        for number in (signal.SIGCONT, signal.SIGTERM):
            with suppress(ProcessLookupError):
                os.killpg(leader.pid, number)
    start = time.monotonic()
    left = list(leaders)
    while left:
        waited = time.monotonic() - start
        left = [leader for leader in left if _living(leader, waited)]
        if left:
            time.sleep(POLL_SECONDS)
    for leader in leaders:
        leader.wait()


def _living(leader: subprocess.Popen[bytes], waited: float) -> bool:
    """True if the session still has processes; those that have had their time are killed."""
    leader.poll()
    living = session_processes(leader.pid)
    for pid, command in living.items():
        limit = TRACKER_SECONDS if "multiprocessing.resource_tracker" in command else TERM_SECONDS
        if waited > limit:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return bool(living)
