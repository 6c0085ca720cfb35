"""Simulated events: what an event camera would see if it moved before a still image.

N-MNIST and CIFAR10-DVS were recorded by moving a camera before a monitor, or the image on it. Here the motion is
computed: a noise-free camera whose pixels follow the logarithm of the light and fire at each step of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# tonic's fields; t in microseconds
EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])

# On a closed path a pixel's light comes back to what it was, often a whole number of thresholds away: rounding shall
# not decide whether it has passed the last of them.
NEARLY = 1 - 1e-4


@dataclass(frozen=True)
class Motion:
    """A path of straight legs, each of the same duration at constant speed, and the pixels that see it.

    Attributes:
        corners: (right, down) in pixels, from the first to the last.
        leg_us: microseconds a leg.
        margin: pixels of the sensor around the image, which repeat its border.
        contrast: change of the logarithm of the light that makes an event.
        dark: light of a black pixel, where 1 is a white one's: the logarithm needs some.
        stride: at most so many pixels between two views.
    """

    corners: tuple[tuple[float, float], ...]
    leg_us: int
    margin: int
    contrast: float
    dark: float = 0.1
    stride: float = 0.25

    @property
    def duration_us(self) -> int:
        """Length of a recording."""
        return self.leg_us * (len(self.corners) - 1)

    def views(self) -> list[tuple[float, float, float]]:
        """(microseconds, right, down) of each view, the first at 0."""
        found = [(0.0, *map(float, self.corners[0]))]
        for leg, ((x0, y0), (x1, y1)) in enumerate(pairwise(self.corners)):
            count = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / self.stride))
            for part in (np.arange(count) + 1) / count:
                found.append(((leg + part) * self.leg_us, x0 + part * (x1 - x0), y0 + part * (y1 - y0)))
        return [(float(t), float(x), float(y)) for t, x, y in found]


# Three saccades of 100 ms around an isosceles triangle, on 34x34 pixels for 28x28 images, as N-MNIST (Orchard et al.
# 2015, Frontiers in Neuroscience 9:437); size of the triangle and contrast are assumed, the latter so that an MNIST
# digit makes about as many events as one of N-MNIST, 4,200.
SACCADES = Motion(((-2, -1), (0, 2), (2, -1), (-2, -1)), leg_us=100_000, margin=3, contrast=0.27)
# A closed loop of four straight paths, gone through twice, after CIFAR10-DVS (Li et al. 2017, Frontiers in Neuroscience
# 11:309), whose image moved smoothly around a closed loop again and again; size, speed and contrast are assumed.
CLOSED_LOOP = Motion(
    ((0, 0), (2, 2), (4, 0), (2, -2), (0, 0), (2, 2), (4, 0), (2, -2), (0, 0)), leg_us=50_000, margin=0, contrast=0.2
)


def simulated_events(images: np.ndarray, motion: Motion) -> list[np.ndarray]:
    """Events of each image, sorted by time.

    Args:
        images: [N, H, W] in 0..1, floating point, which is also the precision of the simulation.

    Returns:
        N structured arrays with tonic's fields x, y, t (microseconds, 0..duration - 1), p (True: brighter).
    """
    height, width = (n + 2 * motion.margin for n in images.shape[1:])
    parts = list(_fired(images, motion))
    pixel, t, on = (np.concatenate(column) for column in zip(*parts, strict=True))
    sample, place = np.divmod(pixel, height * width)
    order = np.lexsort((t, sample))
    events = np.empty(len(order), EVENT)
    events["y"], events["x"] = (n[order] for n in np.divmod(place, width))
    events["t"], events["p"] = t[order], on[order]
    return np.split(events, np.searchsorted(sample[order], np.arange(1, len(images))))


def simulated_frames(images: np.ndarray, motion: Motion, steps: int) -> np.ndarray:
    """Events of each image counted in `steps` equal parts of the recording: what tonic's ToFrame makes of them.

    Args:
        images: as `simulated_events`.

    Returns:
        uint8 [N, steps, 2, H, W], polarity off before on; a count above 255 stays there.
    """
    height, width = (n + 2 * motion.margin for n in images.shape[1:])
    shape = (len(images), steps, 2, height, width)
    counted = []
    for pixel, t, on in _fired(images, motion):
        sample, place = np.divmod(pixel, height * width)
        frame = (sample * steps + t * steps // motion.duration_us) * 2 + on
        counted.append(frame * (height * width) + place)
    counts = np.bincount(np.concatenate(counted), minlength=math.prod(shape))
    return np.minimum(counts, 255).astype(np.uint8).reshape(shape)


def _fired(images: np.ndarray, motion: Motion) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Between two views: (flat pixel in [N, H, W], microseconds, whether brighter) of each event."""
    views = motion.views()
    before = _log_light(images, motion, *views[0][1:])
    level = before.copy()  # that of each pixel's last event
    for (t0, _, _), (t1, right, down) in pairwise(views):
        now = _log_light(images, motion, right, down)
        crossed = np.trunc((now - level) / (motion.contrast * NEARLY))
        (pixel,) = np.nonzero(crossed.reshape(-1))
        count = crossed.reshape(-1)[pixel].astype(np.int64)
        times = np.abs(count)
        event = np.repeat(np.arange(len(pixel)), times)
        nth = np.arange(len(event)) - np.repeat(np.cumsum(times) - times, times) + 1
        start, end = (light.reshape(-1)[pixel][event] for light in (before, now))
        reached = level.reshape(-1)[pixel][event] + np.sign(count)[event] * nth * motion.contrast
        # light is taken to change evenly from one view to the next
        part = np.clip((reached - start) / (end - start), 0, 1)
        t = np.minimum(t0 + part * (t1 - t0), motion.duration_us - 1).astype(np.int64)
        yield pixel[event], t, count[event] > 0
        level += (crossed * motion.contrast).astype(level.dtype)
        before = now


def _log_light(images: np.ndarray, motion: Motion, right: float, down: float) -> np.ndarray:
    """[N, H, W] that the moved sensor sees: bilinear between the image's pixels, then the logarithm."""
    height, width = (n + 2 * motion.margin for n in images.shape[1:])
    x, y = math.floor(right), math.floor(down)
    rows = np.clip(np.arange(y, y + height + 1) - motion.margin, 0, images.shape[1] - 1)
    columns = np.clip(np.arange(x, x + width + 1) - motion.margin, 0, images.shape[2] - 1)
    seen = images[:, rows][:, :, columns]
    for part, axis in ((down - y, 1), (right - x, 2)):
        first, second = (seen[:, :-1], seen[:, 1:]) if axis == 1 else (seen[:, :, :-1], seen[:, :, 1:])
        # Python's numbers: numpy's own would make float64 of float32
        seen = first * float(1 - part) + second * float(part)
    return np.log(seen + motion.dark)
