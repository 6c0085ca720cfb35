"""A recording of an event camera, cut into samples of frames."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np

from dalif_deploy.data import event_reader
from dalif_deploy.data.event_frames import event_frames, require_events
from dalif_deploy.data.labelled_data import LabelledData
from dalif_deploy.hw_models.errors import FitWarning, UserError
from dalif_deploy.hw_models.files.claims import half_of_memory, most_claimed

# iniVation; Event Stream; Prophesee EVT2, EVT3 and DAT. faery rather than aedat, expelliarmus or tonic: it alone reads
# them all, and gives the sensor's size with the events. Its .csv is left out: there it has to guess that size.
ENDINGS = (".aedat4", ".es", ".raw", ".dat")

FEW_WINDOWS = 1000
FLOAT_BYTES = 4

LIBRARY_MEMORY = 256 << 20  # bytes that faery may take besides what the file holds: threads, buffers
LEAST_SECONDS, SLOWEST_BYTES = 30, 100_000  # a second more for so many bytes; 70 million were seen
SENSOR = np.dtype([("width", np.int32), ("height", np.int32)])


def is_recording(spec: str) -> bool:
    """Whether the name is that of an event camera's file."""
    return Path(spec).suffix.lower() in ENDINGS


def load_recording(path: str | Path, *, size: tuple[int, int], steps: int, window_ms: float) -> LabelledData:
    """Samples [N, T, 2, H, W] without labels: one a window, counted in `steps` equal parts; a rest is left out.

    The largest part in the middle of the sensor that has the shape of `size` is looked at.

    Args:
        size: (width, height) of the frames.
        window_ms: milliseconds of a sample.

    Raises:
        UserError: missing or damaged file, shorter than a window, or faery or tonic is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no such file", where=str(path), remedy="check the path")
    sensor, events = _read(path)
    window = round(window_ms * 1000)
    if window < steps:
        raise UserError(
            f"{window_ms} ms are too short for {steps} frames", where="--window-ms", remedy="give a longer window"
        )
    if len(events) == 0:
        raise UserError("no events", where=str(path), remedy="give a recording with events")
    start = int(events["t"][0])
    windows = (int(events["t"][-1]) - start + 1) // window
    if windows == 0:
        seconds = (int(events["t"][-1]) - start) / 1e6
        raise UserError(
            f"the recording lasts {seconds:.3f} s, less than one window of {window_ms:g} ms",
            where=str(path),
            remedy="give a shorter --window-ms",
        )
    # a damaged time stamp makes a recording of centuries; a camera's noise alone is more than an event a window
    if windows > FEW_WINDOWS + len(events):
        what = f"{windows:,} windows of {window_ms:g} ms, but {len(events):,} events: its times are damaged"
        raise UserError(what, where=str(path), remedy="give a longer --window-ms, or a part of the recording")
    if windows * steps * 2 * size[0] * size[1] * (1 + FLOAT_BYTES) > half_of_memory():
        what = f"{windows:,} windows of {window_ms:g} ms would take more than half of the memory"
        raise UserError(what, where=str(path), remedy="give a longer --window-ms, or a part of the recording")
    scale = min(sensor[0] / size[0], sensor[1] / size[1])
    part = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    compare_sensors(path, sensor, size, part)
    for field, whole, kept in zip("xy", sensor, part, strict=True):
        events[field] -= (whole - kept) // 2
    bounds = np.searchsorted(events["t"], start + window * np.arange(windows + 1))
    frames = np.stack([
        event_frames(events[first:last], sensor=part, size=size, steps=steps, start_us=start + n * window,
                     duration_us=window)
        for n, (first, last) in enumerate(pairwise(bounds))
    ])  # fmt: skip
    return LabelledData(frames.astype(np.float32), None, 1.0, path.stem, float(max(1, frames.max())))


def compare_sensors(path: Path, sensor: tuple[int, int], size: tuple[int, int], part: tuple[int, ...]) -> None:
    """Warns where a recording's sensor has another size than the network takes.

    Args:
        path: of the recording.
        sensor, size: pixels, (width, height), of the camera and of what the network takes.
        part: the middle of the sensor that is looked at, alike.

    Raises:
        UserError: the sensor is smaller.
    """
    seen, wanted = f"the sensor has {sensor[0]} x {sensor[1]} pixels", f"the network takes {size[0]} x {size[1]}"
    if sensor[0] < size[0] or sensor[1] < size[1]:
        raise UserError(
            f"{seen}, but {wanted}: pixels are missing",
            where=str(path),
            remedy="give a recording of the camera that the network was trained for",
        )
    if sensor != size:
        taken = "all of it" if part == sensor else f"its middle {part[0]} x {part[1]}"
        warnings.warn(
            f"{path}: {seen}, {wanted}: {taken} is used, {part[0] / size[0]:.3g} pixels taken as one",
            FitWarning,
            stacklevel=3,
        )


def _read(path: Path) -> tuple[tuple[int, int], np.ndarray]:
    """(width, height) of the sensor; events with x, y, t, p in order of time. faery reads in a process with limits."""
    require_events("tonic")
    require_events("faery")
    content = most_claimed(path)
    seconds = LEAST_SECONDS + path.stat().st_size // SLOWEST_BYTES
    command = [sys.executable, event_reader.__file__, str(path.resolve())]
    command += map(str, (content, LIBRARY_MEMORY, seconds))
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * seconds)
    except subprocess.TimeoutExpired:
        raise _unreadable(path, f"not read in {2 * seconds:,} s") from None
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _unreadable(path, f"not read in {seconds:,} s")
    if done.returncode == event_reader.UNREADABLE:
        lines = done.stderr.decode("utf-8", errors="replace").splitlines()
        raise _unreadable(path, lines[-1] if lines else "no reason given")
    if done.returncode:  # what refuses memory to faery, SIGABRT, has no other sign
        raise _unreadable(
            path, f"it asks for more than {(content + LIBRARY_MEMORY) / 1e6:,.0f} MB, or breaks its reader"
        )
    size = np.frombuffer(done.stdout[-SENSOR.itemsize :], dtype=SENSOR)[0]
    events = np.frombuffer(done.stdout[: -SENSOR.itemsize], dtype=event_reader.EVENT)
    return (int(size["width"]), int(size["height"])), events[np.argsort(events["t"], kind="stable")]


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError(
        f"not a readable recording ({reason})", where=str(path), remedy=f"give one of {', '.join(ENDINGS)}"
    )
