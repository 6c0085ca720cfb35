"""Data whose answer lies in time: images row by row, simulated motion whose direction or speed is the label."""

import numpy as np
import pytest

from dalif_deploy.data import load_data
from dalif_deploy.hw_models.errors import UserError


def test_rows_are_the_image_from_the_top():
    rows, images = load_data("digits-rows:test"), load_data("digits:test")
    assert rows.inputs.shape == (len(images.labels), 8, 1, 1, 8)
    np.testing.assert_array_equal(rows.inputs.reshape(-1, 8, 8), images.inputs[:, 0])
    assert (rows.labels == images.labels).all() and rows.step == images.step
    with pytest.raises(UserError, match="has 8 steps, not 4"):
        load_data("digits-rows:train", steps=4)


@pytest.mark.parametrize(("name", "classes"), [("digits-direction", 8), ("digits-speed", 4)])
def test_motion_is_drawn_once_and_says_that_it_is_simulated(name, classes, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "one"))
    first = load_data(f"{name}:test", steps=6)
    frames = first.inputs[:]
    assert frames.shape == (360, 6, 1, 16, 16) and set(np.unique(frames)) == {0, 1}
    assert "simulated" in first.name
    counts = np.bincount(first.labels, minlength=classes)
    assert len(counts) == classes and counts.min() > 0.6 * counts.mean()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "two"))
    again = load_data(f"{name}:test", steps=6)
    assert np.array_equal(again.inputs[:], frames) and np.array_equal(again.labels, first.labels)


def centre(frames):
    """Mean (row, column) of the events of each frame, [T, 2]; of all samples together."""
    rows, columns = np.indices(frames.shape[-2:])
    weight = frames.sum(axis=(0, 2))
    return np.stack([(weight * axis).sum((1, 2)) / weight.sum((1, 2)) for axis in (rows, columns)], axis=1)


def test_the_events_move_in_the_direction_of_the_label(tmp_path, monkeypatch):
    """The camera moves along the label's angle, so what it sees moves against it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = load_data("digits-direction:test", steps=6)
    frames = data.inputs[:]
    for label in range(8):
        path = centre(frames[data.labels == label])
        moved = path[-1] - path[0]
        angle = 2 * np.pi * label / 8
        against = -np.array([np.sin(angle), np.cos(angle)])
        assert moved @ against > 0.9 * np.linalg.norm(moved) > 0.9


def test_faster_swings_turn_more_often(tmp_path, monkeypatch):
    """One swing goes there; five come back to where one ends, having been at the other end meanwhile."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = load_data("digits-speed:test", steps=10)
    frames = data.inputs[:].astype(int)
    busy = [frames[data.labels == label].sum(axis=(1, 2, 3, 4)) for label in range(4)]
    assert (np.diff([b.mean() for b in busy]) > 0).all()
    # contrast hides the speed in the number of events: the slowest's most exceed the fastest's least
    assert busy[0].max() > busy[3].min()
