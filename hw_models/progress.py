"""How far long work has come, for whoever wants to show it: the work itself knows nothing of terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Listener = Callable[[str, int, int | None], None]  # what is worked on, how many are done, of how many if that is known

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def reported_to(listener: Listener) -> Iterator[None]:
    """Within this, `tracked` tells the listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def unreported() -> Iterator[None]:
    """Within this, nobody is told: of work that is one item of what is told already."""
    token = _listener.set(None)
    try:
        yield
    finally:
        _listener.reset(token)


def is_reported() -> bool:
    """True if somebody listens."""
    return _listener.get() is not None


def told(what: str, done: int, total: int | None) -> None:
    """Tells the listener, if there is one, how much of `total` is done."""
    listener = _listener.get()
    if listener is not None:
        listener(what, done, total)


def tracked(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, one by one; told before the first and after each.

    Args:
        items: what is worked on.
        what: for the reader ("compiling, layers").
    """
    if items:
        told(what, 0, len(items))
    for done, item in enumerate(items, 1):
        yield item
        told(what, done, len(items))


def counted(what: str, total: int) -> Callable[[Item], Item]:
    """A function to hand each of `total` results through as it is there: told before the first and after each."""
    results = iter(range(1, total + 1))
    told(what, 0, total)

    def one(result: Item) -> Item:
        told(what, next(results), total)
        return result

    return one
