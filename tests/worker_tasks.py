"""Work for processes, in a module of its own: they import little."""

import os
import sys
import time


def square(task):
    """Ends itself on 13, raises on a negative number, sleeps on "sleep"."""
    if task == "sleep":
        time.sleep(100)
    if task == 13:
        os.kill(os.getpid(), 9)
    if task < 0:
        raise ValueError(f"{task} is negative")
    return task * task, os.getpid()


def has_torch(task):
    """Whether this process has imported torch, which nothing here does."""
    return "torch" in sys.modules
