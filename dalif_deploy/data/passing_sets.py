"""Simulated events of a digit that moves before a camera, whose direction or speed is the label.

Not recordings: see `dalif_deploy.data.simulated_events`. Brighter and darker are one channel, and a pixel has an event
or none in a step: the front of a bright digit would else give its direction away in a single frame.
"""

from __future__ import annotations

import hashlib
import math
from itertools import product

import numpy as np

from dalif_deploy.data.frame_cache import cached_frames, labelled_frames
from dalif_deploy.data.labelled_data import LabelledData
from dalif_deploy.data.simulated_events import NEARLY, Motion, simulated_frames

MARGIN = 4  # dark pixels around a digit of 8 x 8, on the sensor's 16 x 16
DURATION_US = 100_000
COPIES = 2  # of each training image, each with a motion of its own
DIRECTIONS = [2 * math.pi * eighth / 8 for eighth in range(8)]
PASSED = (2.0, 4.0, 6.0, 8.0)  # pixels from one end of a straight path, through the middle, to the other
SWINGS = (1, 2, 3, 5)  # there or back; a swing is 4 pixels long
CONTRASTS = (0.35, 0.6, 1.0)  # so that the number of events does not tell the speed


def load_digits_direction(split: str, data_root: str | None, steps: int) -> LabelledData:
    """Digits that pass along a straight line at one of four speeds, in one of eight directions, the label.

    Returns:
        [N, T, 1, 16, 16]
    """
    motions = [_motion([-passed / 2, passed / 2], angle, 0.6) for angle, passed in product(DIRECTIONS, PASSED)]
    return _moved(split, data_root, steps, "digits-direction", motions, len(PASSED))


def load_digits_speed(split: str, data_root: str | None, steps: int) -> LabelledData:
    """Digits that swing to and fro along a line, seen at one of three contrasts, at one of four speeds, the label.

    Returns:
        [N, T, 1, 16, 16]
    """
    motions = [
        _motion([-2.0 if end % 2 == 0 else 2.0 for end in range(swings + 1)], angle, contrast)
        for swings, angle, contrast in product(SWINGS, DIRECTIONS, CONTRASTS)
    ]
    return _moved(split, data_root, steps, "digits-speed", motions, len(DIRECTIONS) * len(CONTRASTS))


def _motion(ends: list[float], angle: float, contrast: float) -> Motion:
    corners = tuple((round(math.cos(angle) * end, 6), round(math.sin(angle) * end, 6)) for end in ends)
    return Motion(corners, leg_us=DURATION_US // (len(ends) - 1), margin=0, contrast=contrast)


def _moved(
    split: str, data_root: str | None, steps: int, name: str, motions: list[Motion], a_class: int
) -> LabelledData:
    """Each image with a motion drawn for it; `a_class` motions that follow each other are of one class."""
    from dalif_deploy.data.digits import load_digits

    images = load_digits(split, data_root).inputs
    assert isinstance(images, np.ndarray)
    # strokes that reach the image's border end there
    images = np.pad(images[:, 0], ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
    images = np.tile(images, (COPIES if split == "train" else 1, 1, 1))
    drawn = np.random.default_rng(len(images)).integers(0, len(motions), len(images))
    shape = (len(images), steps, 1, *images.shape[1:])

    def counted() -> np.ndarray:
        frames = np.zeros(shape, np.uint8)
        for index, motion in enumerate(motions):
            chosen = drawn == index
            if chosen.any():
                frames[chosen] = simulated_frames(images[chosen], motion, steps).any(axis=2, keepdims=True)
        return frames

    identity = (hashlib.sha256(images.tobytes()).hexdigest(), motions, drawn.tolist(), NEARLY)
    frames = cached_frames(f"{name}-{split}", identity, shape, (make() for make in (counted,)))
    return labelled_frames(frames, drawn // a_class, f"{name} (simulated events)")
