"""Event data sets and recordings on small files in the true formats, binned against plain counting."""

import sys

import numpy as np
import pytest
import torch

from dalif_deploy.data import load_data
from dalif_deploy.data.event_frames import event_frames
from dalif_deploy.data.event_recording import load_recording
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.training.augmentation import augment
from dalif_deploy.training.config import TrainConfig, with_defaults

pytest.importorskip("tonic")
faery = pytest.importorskip("faery")

STEPS = 4


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DALIF_DATA", raising=False)


def random_events(rng, count, width, height, duration, start=0):
    events = np.zeros(count, dtype=faery.EVENTS_DTYPE)
    events["t"] = start + np.sort(rng.integers(0, duration, count))
    events["t"][[0, -1]] = start, start + duration - 1
    events["x"], events["y"] = rng.integers(0, width, count), rng.integers(0, height, count)
    events["p"] = rng.random(count) < 0.5
    return events


def write(path, events, sensor):
    path.parent.mkdir(parents=True, exist_ok=True)
    faery.events_stream_from_array(events, sensor).to_file(str(path))


def counted(events, part_us, start, shape, scale, corner=(0, 0)):
    """One event after the other."""
    frames = np.zeros(shape, int)
    for each in events:
        step = (int(each["t"]) - start) // part_us
        y, x = ((int(each[a]) - c) * n // d for a, c, (n, d) in zip("yx", corner, scale, strict=True))
        if 0 <= step < shape[0] and 0 <= y < shape[2] and 0 <= x < shape[3]:
            frames[step, int(each["p"]), y, x] += 1
    return frames


def cifar10_dvs(root, rng):
    """CIFAR10DVS as tonic leaves it: the archive, and a folder a class of .aedat4; 100 files a class."""
    from tonic.datasets import CIFAR10DVS

    folder = root / "CIFAR10DVS"
    kept = {}
    for name in CIFAR10DVS.classes:
        for number in range(100):
            path = folder / name / f"cifar10_{name}_{number}.aedat4"
            if number in (0, 9, 10, 89, 90, 99):
                kept[name, number] = random_events(rng, 60, 128, 128, 1000 * STEPS, start=1_500_000_000_000_000)
                write(path, kept[name, number], (128, 128))
                whole = path.read_bytes()
            else:
                path.write_bytes(whole)
    (folder / "CIFAR10DVS.zip").touch()
    return kept


def test_cifar10_dvs_is_split_by_number_within_each_class(tmp_path):
    kept = cifar10_dvs(tmp_path / "root", np.random.default_rng(0))
    train, test = (load_data(f"cifar10-dvs:{s}", str(tmp_path / "root"), steps=STEPS) for s in ("train", "test"))
    assert train.inputs.shape == (900, STEPS, 2, 48, 48) and test.inputs.shape == (100, STEPS, 2, 48, 48)
    assert np.bincount(train.labels).tolist() == [90] * 10 and np.bincount(test.labels).tolist() == [10] * 10
    assert (train.step, train.name, train.inputs.dtype) == (1.0, "cifar10-dvs", np.float32)
    for data, label, place, (name, number) in (
        (train, 8, 10, ("ship", 10)), (train, 0, 9, ("airplane", 9)), (train, 9, 89, ("truck", 89)),
        (test, 3, 0, ("cat", 90)), (test, 9, 9, ("truck", 99)),
    ):  # fmt: skip
        events = kept[name, number]
        wanted = counted(events, 1000, int(events["t"][0]), (STEPS, 2, 48, 48), ((48, 128), (48, 128)))
        index = np.flatnonzero(data.labels == label)[place]
        np.testing.assert_array_equal(data.inputs[index], wanted)
        assert wanted.sum() == 60


def test_gestures_are_read_as_tonic_lays_them_out_and_kept(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    folder = tmp_path / "root" / "DVSGesture" / "ibmGestureTest"
    for user in range(24, 34):
        for label in range(11):
            path = folder / f"user{user}_fluorescent" / f"{label}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            columns = rng.integers(0, 128, 50), rng.integers(0, 128, 50), rng.integers(0, 2, 50)
            milliseconds = np.sort(np.r_[0, rng.integers(0, 800, 48), 799])
            np.save(path, np.stack([*columns, milliseconds], axis=1).astype(np.float64))
    folder.with_name("ibmGestureTest.tar.gz").touch()
    data = load_data("dvs128-gesture:test", str(tmp_path / "root"), steps=STEPS)
    assert data.inputs.shape == (110, STEPS, 2, 64, 64) and sorted(set(data.labels)) == list(range(11))
    x, y, p, t = np.load(folder / "user24_fluorescent" / "3.npy").T.astype(int)
    wanted = np.zeros((STEPS, 2, 64, 64))
    # 799,001 microseconds from the first to the last event, in four parts
    np.add.at(wanted, (t * 1000 // 199_751, p, y // 2, x // 2), 1)
    first = [i for i, frames in enumerate(data.inputs[:]) if np.array_equal(frames, wanted)]
    assert [data.labels[i] for i in first] == [3]
    # the second time from the cache: no recording is opened
    monkeypatch.setattr("dalif_deploy.data.event_sets.event_frames", None)
    again = load_data("dvs128-gesture:test", str(tmp_path / "root"), steps=STEPS)
    np.testing.assert_array_equal(again.inputs[:], data.inputs[:])


@pytest.mark.parametrize("name", ["cifar10-dvs", "dvs128-gesture"])
def test_what_is_not_here_says_where_it_is_looked_for(tmp_path, monkeypatch, name):
    def no_network(*_):
        raise OSError("no network")

    monkeypatch.setattr("tonic.dataset.download_and_extract_archive", no_network)
    with pytest.raises(UserError, match="--data-root"):
        load_data(f"{name}:train", str(tmp_path), steps=STEPS)
    with pytest.raises(UserError, match="--steps"):
        load_data(f"{name}:train", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tonic", None)
    with pytest.raises(UserError, match=r"dalif-deploy\[events\]"):
        load_data(f"{name}:train", str(tmp_path), steps=STEPS)


def test_a_damaged_recording_is_named_and_nothing_is_cached(tmp_path):
    cifar10_dvs(tmp_path / "root", np.random.default_rng(0))
    path = tmp_path / "root" / "CIFAR10DVS" / "frog" / "cifar10_frog_95.aedat4"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="damaged") as caught:
        load_data("cifar10-dvs:test", str(tmp_path / "root"), steps=STEPS)
    assert path.name in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_binning_keeps_every_event():
    rng = np.random.default_rng(2)
    for count, duration in ((1, 1), (2, 7), (500, 1003), (300, 12)):
        events = random_events(rng, count, 9, 7, duration)
        frames = event_frames(events, sensor=(9, 7), size=(4, 3), steps=5)
        assert frames.shape == (5, 2, 3, 4) and frames.sum(dtype=int) == count
    assert event_frames(events[:0], sensor=(9, 7), size=(4, 3), steps=5).sum() == 0


@pytest.mark.parametrize("ending", ["aedat4", "es", "dat", "raw"])
def test_a_recording_is_cut_into_windows_from_the_middle_of_the_sensor(tmp_path, ending):
    rng = np.random.default_rng(3)
    events = random_events(rng, 3000, 40, 24, 90_500)
    path = tmp_path / f"some.{ending}"
    write(path, events, (40, 24))
    data = load_recording(path, size=(8, 8), steps=STEPS, window_ms=40)
    assert data.inputs.shape == (2, STEPS, 2, 8, 8) and data.labels is None and data.inputs.dtype == np.float32
    for sample, frames in enumerate(data.inputs):
        wanted = counted(events, 10_000, sample * 40_000, (STEPS, 2, 8, 8), ((8, 24), (8, 24)), corner=(0, 8))
        np.testing.assert_array_equal(frames, wanted)
        assert wanted.sum() > 500


def test_recordings_that_make_no_sample_are_refused(tmp_path):
    path = tmp_path / "some.es"
    write(path, random_events(np.random.default_rng(4), 100, 40, 24, 1000), (40, 24))
    for window, words in ((2, "less than one window of 2 ms"), (0.001, "--window-ms")):
        with pytest.raises(UserError, match=words):
            load_recording(path, size=(8, 8), steps=STEPS, window_ms=window)
    path.write_bytes(path.read_bytes()[:5])
    with pytest.raises(UserError, match="not a readable recording"):
        load_recording(path, size=(8, 8), steps=STEPS, window_ms=0.1)
    with pytest.raises(UserError, match="no such file"):
        load_recording(tmp_path / "gone.es", size=(8, 8), steps=STEPS, window_ms=0.1)


def test_augmentation_treats_all_frames_of_a_sample_alike():
    config = TrainConfig(**with_defaults({"dataset": "cifar10-dvs", "shift": 1, "cutout": 3}))
    assert config.flip and config.crop_padding and config.steps == 10 and config.arch == "vggsnn"
    frame = torch.from_numpy(np.random.default_rng(5).random((6, 1, 2, 12, 12), dtype=np.float32)) + 1
    moved = augment(frame.expand(-1, 3, -1, -1, -1), config, np.random.default_rng(6))
    assert torch.equal(moved[:, 0], moved[:, 1]) and torch.equal(moved[:, 0], moved[:, 2])
    assert not torch.equal(moved[:, :1], frame)
    zeros = [(sample[0, 0] == 0).tolist() for sample in moved]
    assert any(one != zeros[0] for one in zeros)  # but each sample for itself
