"""Simulated camera motion: against a pixel-by-pixel loop, tonic's binning, and what is known of such events."""

import math
from itertools import pairwise

import numpy as np
import pytest

from dalif_deploy.data.simulated_events import CLOSED_LOOP, NEARLY, SACCADES, Motion, simulated_events, simulated_frames

PATH = Motion(((0, 0), (1.3, -0.6), (-0.4, 0.5)), leg_us=1000, margin=1, contrast=0.15)


def pixel_by_pixel(image, motion):
    """Each pixel of the sensor on its own: its light along the path, one event for each threshold it passes."""
    height, width = image.shape

    def light(x, y):
        def at(column, row):
            return image[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]

        left, top = math.floor(x), math.floor(y)
        a, b = x - left, y - top
        upper = (1 - a) * at(left, top) + a * at(left + 1, top)
        lower = (1 - a) * at(left, top + 1) + a * at(left + 1, top + 1)
        return math.log((1 - b) * upper + b * lower + motion.dark)

    stops = [(0.0, *motion.corners[0])]
    for leg, (start, end) in enumerate(zip(motion.corners[:-1], motion.corners[1:], strict=True)):
        views = math.ceil(math.dist(start, end) / motion.stride)
        for k in range(1, views + 1):
            place = [p + (q - p) * k / views for p, q in zip(start, end, strict=True)]
            stops.append(((leg + k / views) * motion.leg_us, *place))
    found = []
    for row in range(height + 2 * motion.margin):
        for column in range(width + 2 * motion.margin):
            x, y = column - motion.margin, row - motion.margin
            before = memory = light(x + stops[0][1], y + stops[0][2])
            for (t0, _, _), (t1, right, down) in pairwise(stops):
                now = light(x + right, y + down)
                while abs(now - memory) >= motion.contrast * NEARLY:
                    memory += math.copysign(motion.contrast, now - memory)
                    t = t0 + (t1 - t0) * (memory - before) / (now - before)
                    found.append((min(t, motion.duration_us - 1), column, row, now > before))
                before = now
    return sorted(found)


def test_events_are_those_of_each_pixel_on_its_own():
    images = np.random.default_rng(0).random((2, 5, 4))
    for image, events in zip(images, simulated_events(images, PATH), strict=True):
        wanted = pixel_by_pixel(image, PATH)
        assert len(events) == len(wanted) > 50
        assert np.all(np.diff(events["t"]) >= 0) and events["t"].max() < PATH.duration_us
        # by pixel, then time: the loop's times are not whole microseconds
        ours = sorted(zip(events["x"], events["y"], events["t"], events["p"], strict=True))
        theirs = sorted((x, y, t, p) for t, x, y, p in wanted)
        for one, other in zip(ours, theirs, strict=True):
            assert (one[0], one[1], one[3]) == (other[0], other[1], other[3])
            assert one[2] == pytest.approx(other[2], abs=1.001)


def test_a_bright_square_that_moves_right_darkens_behind_and_brightens_ahead():
    image = np.zeros((1, 7, 7))
    image[:, 2:5, 2:5] = 1
    # the camera goes left, so the image goes right
    (events,) = simulated_events(image, Motion(((0, 0), (-1, 0)), leg_us=1000, margin=0, contrast=0.3))
    assert set(zip(events["x"], events["p"], strict=True)) == {(2, False), (5, True)}
    assert set(events["y"]) == {2, 3, 4}
    # from the logarithm of 0.1 to that of 1.1, in thresholds of 0.3
    assert len(events) == 2 * 3 * int(math.log(11) / 0.3)


@pytest.mark.parametrize("motion", [SACCADES, CLOSED_LOOP, PATH])
def test_frames_are_tonic_s_of_the_events_and_lose_none(motion):
    transforms = pytest.importorskip("tonic.transforms")
    images = np.random.default_rng(1).random((3, 9, 8)).astype(np.float32)
    height, width = (n + 2 * motion.margin for n in images.shape[1:])
    steps = 8
    binning = transforms.ToFrame((width, height, 2), time_window=motion.duration_us // steps, start_time=0,
                                 end_time=motion.duration_us)  # fmt: skip
    frames, events = simulated_frames(images, motion, steps), simulated_events(images, motion)
    assert frames.shape == (3, steps, 2, height, width) and frames.dtype == np.uint8
    for one, each in zip(frames, events, strict=True):
        np.testing.assert_array_equal(one, binning(each))
        assert one.sum(dtype=int) == len(each) > 100


def test_each_image_is_simulated_for_itself():
    images = np.random.default_rng(2).random((4, 6, 6))
    together = simulated_frames(images, PATH, 5)
    np.testing.assert_array_equal(together[2:3], simulated_frames(images[2:3], PATH, 5))
    assert simulated_frames(np.full((1, 6, 6), 0.5), PATH, 5).sum() == 0


def test_precision_decides_next_to_nothing():
    images = np.random.default_rng(3).integers(0, 256, (20, 12, 12)) / 255
    double, single = (simulated_frames(images.astype(dtype), SACCADES, 10) for dtype in (np.float64, np.float32))
    assert double.sum(dtype=int) == single.sum(dtype=int)  # no event more, though one may change its frame
    assert (double != single).mean() < 1e-3
