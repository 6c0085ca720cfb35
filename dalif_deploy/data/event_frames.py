"""Events to frames of counts, by tonic."""

from __future__ import annotations

import numpy as np

from dalif_deploy.hw_models.errors import UserError


def require_events(package: str) -> None:
    """Raises UserError where one of the packages of the extra `events` is not installed."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise UserError(f"reading events needs {package}", remedy="pip install 'dalif-deploy[events]'")


def event_frames(
    events: np.ndarray,
    *,
    sensor: tuple[int, int],
    size: tuple[int, int],
    steps: int,
    start_us: int | None = None,
    duration_us: int | None = None,
) -> np.ndarray:
    """Counts the events of a recording in `steps` equal parts of its time.

    Args:
        events: structured, with x, y, t (microseconds, sorted) and p.
        sensor: (width, height) that x and y are within; those outside are left out.
        size: (width, height) of the frames; an event at x is counted at x * width // sensor width.
        start_us, duration_us: the time to look at; by default from the first event to the last one, that included.

    Returns:
        uint8 [steps, 2, height, width], polarity off before on; a count above 255 stays there.
    """
    from tonic.transforms import Downsample, ToFrame

    whole = np.zeros(len(events), dtype=[("x", np.int32), ("y", np.int32), ("t", np.int64), ("p", np.int8)])
    for field in ("x", "y", "t", "p"):
        whole[field] = events[field]
    whole = whole[(whole["x"] >= 0) & (whole["x"] < sensor[0]) & (whole["y"] >= 0) & (whole["y"] < sensor[1])]
    if len(whole) == 0:
        return np.zeros((steps, 2, size[1], size[0]), np.uint8)
    start = int(whole["t"][0]) if start_us is None else start_us
    duration = int(whole["t"][-1]) - start + 1 if duration_us is None else duration_us
    part = -(-duration // steps)  # tonic's own n_time_bins rounds down, and so loses the last events
    smaller = Downsample(sensor_size=(*sensor, 2), target_size=size)(whole)
    frames = ToFrame((*size, 2), time_window=part, start_time=start, end_time=start + steps * part)(smaller)
    counts: np.ndarray = np.minimum(frames, 255).astype(np.uint8)
    return counts
