"""How processes start here: forked from one that did nothing but import what they need, so the second costs little.

That process is the "fork server" of Python's own `multiprocessing`. It has one thread when it forks and opens no
device, so nothing is copied that a fork must not copy.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

PRELOADED = "dalif_deploy.sharding.preloaded"


def start_method() -> str:
    """Of `multiprocessing`. Where forking is not safe each process imports everything by itself."""
    # macOS: its libraries don't outlive a fork. Pythons before these: strangers on the machine could reach the server
    # (CVE-2022-42919)
    safe = sys.version_info >= (3, 11, 1) or (3, 10, 9) <= sys.version_info < (3, 11)
    return "forkserver" if sys.platform == "linux" and safe else "spawn"


def process_context(*more: str) -> Any:
    """The context of `multiprocessing` that starts processes; what they need begins to be imported at once.

    Args:
        more: modules to import besides; without effect where processes were started before.
    """
    method = start_method()
    context = get_context(method)
    if method == "forkserver":
        from multiprocessing.forkserver import ensure_running

        context.set_forkserver_preload([PRELOADED, *more])
        with interrupts_ignored():
            ensure_running()
    return context


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """A process started meanwhile ignores Ctrl-C for good: its parent hears it and ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
