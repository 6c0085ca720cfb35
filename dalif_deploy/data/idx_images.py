"""Images and labels in MNIST's idx files: found on this machine, else downloaded by torchvision."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np

from dalif_deploy.data.data_folders import download_folder
from dalif_deploy.data.labelled_data import LabelledData
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.claims import check_claim
from dalif_deploy.hw_models.files.damage import damage_in_one_line

_BYTES = 8  # idx's number for that type
_AGAIN = "fetch the data again"
_FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
          "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}  # fmt: skip


def load_idx_images(
    split: str, data_root: str | None, *, name: str, folders: list[Path], torchvision_name: str, package: str
) -> LabelledData:
    """Images [N, 1, H, W] in 0..1 from the first of `folders` that has the split's files, plain or gzipped.

    Args:
        torchvision_name: the class of `torchvision.datasets` that downloads them.
        package: where else they can be had, for the message.

    Raises:
        UserError: not found and not downloadable, or damaged.
    """
    folder = next((each for each in folders if _has(each, split)), None)
    if folder is None:
        folder = _download(data_root, name, torchvision_name, package)
    images, labels = (read_idx_file(folder, file) for file in _FILES[split])
    if images.ndim != 3 or images.dtype != np.uint8 or len(images) != len(labels) or len(images) == 0:
        raise UserError(
            "the images are not bytes, or their number differs from that of the labels",
            where=str(folder),
            remedy="fetch the data again",
        )
    return LabelledData((images[:, None] / np.float32(255)).astype(np.float32), labels.astype(np.int64), 1 / 255, name)


def _has(folder: Path, split: str) -> bool:
    return all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in _FILES[split])


def _download(data_root: str | None, name: str, torchvision_name: str, package: str) -> Path:
    from torchvision import datasets

    root = download_folder(data_root)
    try:
        getattr(datasets, torchvision_name)(str(root), download=True)
    # torchvision raises whatever its downloader meets: no network, HTTP faults, a wrong checksum
    except Exception as error:
        raise UserError(
            f"{name} is missing and can't be downloaded ({type(error).__name__})",
            remedy=f"give --data-root or $DALIF_DATA with the idx files, or install {package}",
        ) from error
    return root / torchvision_name / "raw"


def read_idx_file(folder: Path, name: str) -> np.ndarray:
    """Bytes of any shape. Not by torchvision, which needs a file unpacked, however large that gets."""
    path = folder / name
    packed = not path.is_file()
    path = folder / f"{name}.gz" if packed else path
    with (
        damage_in_one_line("damaged idx file", where=path, remedy=_AGAIN),
        gzip.open(path) if packed else open(path, "rb") as file,
    ):
        zero, kind, axes = struct.unpack(">HBB", file.read(4))
        if (zero, kind) != (0, _BYTES) or not 1 <= axes <= 3:
            raise ValueError("it does not begin as one of bytes")
        shape = struct.unpack(f">{axes}I", file.read(4 * axes))
        size = math.prod(shape)
        check_claim(path, size, what="its header", remedy=_AGAIN)
        content = file.read(size + 1)  # a byte more would be there too
        if len(content) != size:
            raise ValueError(f"shape {list(shape)}, and {'more' if len(content) > size else len(content)} bytes")
    return np.frombuffer(content, np.uint8).reshape(shape)
