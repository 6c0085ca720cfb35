"""A process of its own that reads a recording with faery and writes its events to standard output.

faery asks for as many bytes as a packet claims and unpacks without a bound; where memory is refused it aborts. Here
that ends this process alone. Run by path, so that numpy and faery are all that it loads.

    python event_reader.py RECORDING CONTENT LIBRARIES SECONDS

Writes EVENT records in order of the file, then the sensor's width and height as two int32. Exit code UNREADABLE: what
faery said is the last line of standard error. Ended by a signal: more than CONTENT and LIBRARIES bytes
were asked for, or SECONDS were over.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

EVENT = np.dtype([("x", np.int32), ("y", np.int32), ("t", np.int64), ("p", np.int8)])
UNREADABLE, TOO_LARGE = 3, 4


def main(path: str, content: int, libraries: int, seconds: int) -> int:
    """Gives the exit code."""
    import resource  # of Unix alone, and the class that starts this file is imported everywhere

    import faery

    _limit(resource.RLIMIT_CPU, seconds)  # of the processor: it ends this process also when its caller is gone
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + content + libraries)
    written, out = 0, sys.stdout.buffer
    try:
        stream = faery.events_stream_from_file(path)
        for packet in stream:
            events = np.empty(len(packet), dtype=EVENT)
            for field in EVENT.names or ():
                events[field] = packet[field]
            written += events.nbytes
            if written > content:
                return TOO_LARGE
            out.write(events.tobytes())
        out.write(np.array(stream.dimensions(), dtype=np.int32).tobytes())
        out.flush()
    except MemoryError:
        return TOO_LARGE
    # faery raises plain RuntimeError and others for what it can't read, and panics of Rust, which are no Exception
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        print(str(error).partition("\n")[0] or type(error).__name__, file=sys.stderr)
        return UNREADABLE
    return 0


def _limit(what: int, value: int) -> None:
    import resource

    _, hard = resource.getrlimit(what)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
