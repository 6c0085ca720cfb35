"""CIFAR10-DVS and DVS128 Gesture, read by tonic, as frames."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dalif_deploy.data.data_folders import data_folders, download_folder
from dalif_deploy.data.event_frames import event_frames, require_events
from dalif_deploy.data.frame_cache import cached_frames, labelled_frames
from dalif_deploy.data.labelled_data import LabelledData
from dalif_deploy.hw_models.errors import UserError

CIFAR10_DVS_SIZE = (48, 48)  # as VGGSNN takes it (Deng et al., ICLR 2022)
GESTURE_SIZE = (64, 64)


def load_cifar10_dvs(split: str, data_root: str | None, steps: int) -> LabelledData:
    """Frames [N, T, 2, 48, 48] (Li et al. 2017, Frontiers in Neuroscience 11:309), from 128x128 pixels.

    The set has no split of its own: of each class the first nine tenths, in order of the files' numbers, are to train,
    the others to test.

    Raises:
        UserError: not found and not downloadable, a damaged file, or tonic or aedat is not installed.
    """
    require_events("aedat")  # tonic's reader of .aedat4, which it does not ask for
    recordings = _tonic_set("CIFAR10DVS", data_root)
    labels = np.asarray(recordings.targets)
    # by number: tonic takes the files as the folder lists them
    order = sorted(range(len(labels)), key=lambda i: (labels[i], _number(recordings.data[i]), recordings.data[i]))
    chosen = []
    for label in np.unique(labels):
        members = [i for i in order if labels[i] == label]
        boundary = len(members) * 9 // 10
        chosen += members[:boundary] if split == "train" else members[boundary:]
    return _frames(recordings, chosen, CIFAR10_DVS_SIZE, steps, "cifar10-dvs", split)


def load_dvs128_gesture(split: str, data_root: str | None, steps: int) -> LabelledData:
    """Frames [N, T, 2, 64, 64] of 11 gestures (Amir et al., CVPR 2017), from 128x128 pixels.

    The split is the set's own, by person: 23 to train, 6 to test. Cut into gestures, with time in whole milliseconds,
    as tonic distributes it.

    Raises:
        UserError: not found and not downloadable, a damaged file, or tonic is not installed.
    """
    recordings = _tonic_set("DVSGesture", data_root, train=split == "train")
    chosen = sorted(range(len(recordings.targets)), key=lambda i: recordings.data[i])
    return _frames(recordings, chosen, GESTURE_SIZE, steps, "dvs128-gesture", split)


def _tonic_set(name: str, data_root: str | None, **options: Any) -> Any:
    """The tonic data set, from where its folder lies, else downloaded."""
    require_events("tonic")
    import tonic.datasets

    found = next((folder for folder in data_folders(data_root, ()) if (folder / name).is_dir()), None)
    root = found or download_folder(data_root)
    try:
        recordings = getattr(tonic.datasets, name)(str(root), **options)
    # tonic raises whatever its downloader meets: no network, HTTP faults, a wrong checksum, a broken archive
    except Exception as error:
        raise UserError(
            f"{name} is incomplete and can't be downloaded ({type(error).__name__})",
            where=str(root / name),
            remedy="give --data-root or $DALIF_DATA with the folder as tonic leaves it, archive included",
        ) from error
    if not recordings.targets:
        raise UserError("no recordings", where=str(root / name), remedy="remove the folder to fetch it again")
    return recordings


def _frames(
    recordings: Any, chosen: list[int], size: tuple[int, int], steps: int, name: str, split: str
) -> LabelledData:
    width, height, _ = recordings.sensor_size

    def counted() -> Iterator[np.ndarray]:
        for index in chosen:
            path = recordings.data[index]
            try:
                events, _ = recordings[index]
                frames = event_frames(events, sensor=(width, height), size=size, steps=steps)
            # what a damaged file makes of aedat, numpy and tonic: their own errors, ValueError, OSError, IndexError
            except Exception as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise UserError(f"damaged recording ({reason})", where=path, remedy="fetch the data again") from error
            yield frames[None]

    files = [Path(recordings.data[i]) for i in chosen]
    identity = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    shape = (len(chosen), steps, 2, size[1], size[0])
    frames = cached_frames(f"{name}-{split}", identity, shape, counted())
    return labelled_frames(frames, np.asarray(recordings.targets)[chosen], name)


def _number(path: str) -> int:
    """977 of cifar10_ship_977.aedat4; 0 where there is none."""
    found = re.findall(r"\d+", Path(path).stem)
    return int(found[-1]) if found else 0
