"""Fewer samples at a time where memory does not suffice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

from ..errors import UserError, is_out_of_memory

Result = TypeVar("Result")


def run_in_batches(
    run: Callable[[slice], Result], samples: int, size: int, need: Callable[[], int]
) -> Iterator[tuple[slice, Result]]:
    """Calls `run` with one range of samples after the other; half as many from where memory did not suffice.

    What a range gives must not depend on the others, nor on a try that failed half-way.

    Args:
        size: samples of a range, at first.
        need: bytes that one sample takes at least.

    Yields:
        (range, what `run` gave). At least one, also without samples.

    Raises:
        UserError: a single sample does not fit.
    """
    start, asked = 0, None
    while True:
        stop = min(start + size, samples)
        fault = None
        try:
            result = run(slice(start, stop))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            fault = str(error)
        # past the handler: the traceback, and with it the memory of the try, is gone
        if fault is not None:
            if stop - start <= 1:
                raise UserError(
                    f"a single sample does not fit in memory: it takes at least {need() / 1e6:,.1f} MB ({fault})",
                    remedy="free memory, use a machine with more, or fewer --steps",
                )
            asked = asked or stop - start
            size = (stop - start) // 2
            continue
        if asked is not None:
            logging.getLogger(__name__).warning(
                "warning: %d samples at a time do not fit in memory; going on with %d", asked, size
            )
            asked = None
        yield slice(start, stop), result
        del result
        start = stop
        if start >= samples:
            return
