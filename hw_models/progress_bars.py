"""Bars for work that takes long: on a terminal only, on standard error, with the time that remains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .progress import is_reported, reported_to


@contextmanager
def shown_progress() -> Iterator[None]:
    """Within this, whatever reports by `progress` has a bar, until it is done. Inside another one, nothing more."""
    if is_reported():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with Progress(console=console, transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
            progress.update(bars[what], completed=done, total=total)
            if done == total:
                progress.remove_task(bars.pop(what))

        with reported_to(show):
            yield
