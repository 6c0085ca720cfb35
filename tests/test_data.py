"""Data sets and .npz files: real values, fixed splits, refusals."""

import gzip

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dalif_deploy.data import load_data
from dalif_deploy.hw_models.errors import UserError


def test_digits_are_scikit_learn_s_images_each_once_in_levels_of_the_step():
    train, test = load_data("digits:train"), load_data("digits:test")
    assert train.inputs.shape == (1437, 1, 8, 8) and test.inputs.shape == (360, 1, 8, 8)
    assert train.inputs.dtype == np.float32 and train.labels.dtype == np.int64
    assert (train.step, train.name) == (1 / 16, "digits")
    ours = np.concatenate([train.inputs, test.inputs]).reshape(-1, 64) / train.step
    labels = np.concatenate([train.labels, test.labels])
    source = load_digits()
    one = sorted(zip(map(tuple, ours.astype(int).tolist()), labels.tolist(), strict=True))
    two = sorted(zip(map(tuple, source.data.astype(int).tolist()), source.target.tolist(), strict=True))
    assert one == two


def test_the_split_is_stratified_and_always_the_same():
    first, again = load_data("digits:test"), load_data("digits:test")
    np.testing.assert_array_equal(first.inputs, again.inputs)
    assert np.bincount(first.labels).tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]


def idx(array):
    """The idx format, as its authors describe it: 0, 0, type 8 (bytes), rank, sizes big-endian, values."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture
def fashion(tmp_path, monkeypatch):
    """Fashion-MNIST's files in a folder, nowhere else, and no way to download."""
    from dalif_deploy.data import fashion_mnist

    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "none")
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.mirrors", [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DALIF_DATA", raising=False)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (7, 28, 28), dtype=np.uint8), rng.integers(0, 10, 7, dtype=np.uint8)
    root = tmp_path / "root"

    def write(folder, packed, images=images, labels=labels):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name, array in (("t10k-images-idx3-ubyte", images), ("t10k-labels-idx1-ubyte", labels)):
            path = root / folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
        return root

    return write, images, labels


@pytest.mark.parametrize("folder", ["", "FashionMNIST/raw", "fashion-mnist"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("through", ["argument", "environment"])
def test_fashion_mnist_is_found_in_any_usual_place(fashion, monkeypatch, folder, packed, through):
    write, images, labels = fashion
    root = str(write(folder, packed))
    if through == "environment":
        monkeypatch.setenv("DALIF_DATA", root)
    data = load_data("fashion-mnist:test", root if through == "argument" else None)
    np.testing.assert_array_equal(np.rint(data.inputs[:, 0] * 255), images)
    np.testing.assert_array_equal(data.labels, labels)
    assert (data.step, data.name, data.inputs.dtype) == (1 / 255, "fashion-mnist", np.float32)
    assert data.inputs.min() >= 0 and data.inputs.max() <= 1


def test_missing_fashion_mnist_says_every_way_to_get_it(fashion):
    with pytest.raises(UserError) as caught:
        load_data("fashion-mnist:train")
    for word in ("--data-root", "$DALIF_DATA", "dataset-fashion-mnist", "download"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.write_bytes(path.read_bytes()[:60] + b"\0" * 200 + path.read_bytes()[260:]),
        lambda path: path.write_bytes(b"not gzip"),
        lambda path: path.write_bytes(gzip.compress(b"short")),
        lambda path: path.write_bytes(gzip.compress(idx(np.zeros((6, 28, 28), np.uint8)))),
    ],
)
def test_damaged_fashion_mnist_is_refused(fashion, damage):
    write, _, _ = fashion
    root = write("", True)
    damage(root / "t10k-images-idx3-ubyte.gz")
    with pytest.raises(UserError, match="fetch the data again") as caught:
        load_data("fashion-mnist:test", str(root))
    assert "()" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "words"),
    [("imagewoof:test", "unknown data"), ("digits", "digits:train or digits:test"), ("digits:all", "unknown split")],
)
def test_unknown_names_and_splits(spec, words):
    with pytest.raises(UserError, match=words):
        load_data(spec)


@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (4, 5, 2, 8, 8), (4, 7)])
def test_an_npz_comes_as_it_is(tmp_path, shape):
    rng = np.random.default_rng(0)
    x, y = rng.random(shape), np.arange(4, dtype=np.int32)
    np.savez_compressed(tmp_path / "some.npz", input=x, label=y)
    data = load_data(str(tmp_path / "some.npz"))
    np.testing.assert_array_equal(data.inputs, x.astype(np.float32))
    np.testing.assert_array_equal(data.labels, y)
    assert (data.step, data.name, data.labels.dtype) == (None, "some", np.int64)
    np.savez(tmp_path / "bare.npz", input=x > 0.5)
    assert load_data(str(tmp_path / "bare.npz")).labels is None


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.ones((2, 3))}, "no array `input`"),
        ({"input": np.ones(3)}, "shape"),
        ({"input": np.array(["a", "b"])[:, None]}, "<U1"),
        ({"input": np.ones((2, 2), dtype=complex)}, "complex"),
        ({"input": np.array([[{}]], dtype=object)}, "not a readable"),
        ({"input": np.ones((0, 3))}, "no samples"),
        ({"input": np.full((2, 3), np.nan)}, "NaN"),
        ({"input": np.full((2, 3), 1e300)}, "float32"),
        ({"input": np.ones((2, 3)), "label": np.ones(3, int)}, "label"),
        ({"input": np.ones((2, 3)), "label": np.ones(2)}, "label"),
    ],
)
def test_an_npz_that_makes_no_data_is_refused(tmp_path, arrays, words):
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=words) as caught:
        load_data(str(path))
    assert str(caught.value).startswith(str(path))


def test_a_damaged_npz_is_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, input=np.random.default_rng(0).random((20, 30)))
    good = path.read_bytes()
    damaged = bytearray(good)
    damaged[len(good) // 2] ^= 0xFF
    for content in (b"", b"PK nothing", good[:100], good[:-5], bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a readable"):
            load_data(str(path))
    with open(path, "wb") as file:
        np.save(file, np.ones((2, 3)))
    with pytest.raises(UserError, match="not a readable"):
        load_data(str(path))
    with pytest.raises(UserError, match="no such file"):
        load_data(str(tmp_path / "gone.npz"))
