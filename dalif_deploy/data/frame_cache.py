"""Frames of events, counted once and kept in the user's cache: to count them again each epoch would cost more than
a training step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from dalif_deploy.data.data_folders import cache_folder
from dalif_deploy.data.labelled_data import LabelledData
from dalif_deploy.data.lazy_samples import LazySamples
from dalif_deploy.hw_models.files.atomic import atomic_file


def cached_frames(
    name: str, identity: Iterable[object], shape: tuple[int, ...], counted: Iterable[np.ndarray]
) -> np.ndarray:
    """uint8 [N, T, 2, H, W], mapped from a file that is written where it is not there yet.

    Args:
        identity: all that the frames depend on, as `repr` shows it; another identity is another file.
        shape: of the result.
        counted: the frames in order, so many samples at a time; not touched where the file is there.
    """
    digest = hashlib.sha256(repr((shape, *identity)).encode()).hexdigest()[:16]
    path = cache_folder() / "frames" / f"{name}-{digest}.npy"
    found = _mapped(path, shape)
    if found is not None:
        return found
    with (
        atomic_file(path, own_place=True) as temporary,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        frames = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        bar, done = progress.add_task(f"{name}: events to frames", total=shape[0]), 0
        for part in counted:
            frames[done : done + len(part)] = part
            done += len(part)
            progress.update(bar, completed=done)
        frames.flush()
        del frames
    written = _mapped(path, shape)
    assert written is not None
    return written


def labelled_frames(frames: np.ndarray, labels: np.ndarray, name: str) -> LabelledData:
    """Frames as data: float32 a batch at a time, one event a level."""
    inputs = LazySamples(frames.shape[1:], len(frames), frames.__getitem__)
    highest = float(max(1, frames.max()))
    return LabelledData(inputs, labels.astype(np.int64), 1.0, name, highest)


def _mapped(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The file's array; None where there is none, or not a whole one."""
    try:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return frames if frames.shape == shape and frames.dtype == np.uint8 else None
