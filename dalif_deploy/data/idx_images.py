"""Images and labels in MNIST's idx files: found on this machine, else downloaded by torchvision."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np

from dalif_deploy.data.data_folders import download_folder
from dalif_deploy.data.labelled_data import LabelledData
from hw_models.errors import UserError

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
    images, labels = (_read(folder, file) for file in _FILES[split])
    if images.ndim != 3 or images.dtype != np.uint8 or len(images) != len(labels) or len(images) == 0:
        raise UserError(
            "no bytes of images, or images and labels differ in number",
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
            f"{name} is not here and can't be downloaded ({type(error).__name__})",
            remedy=f"give --data-root or $DALIF_DATA with the idx files, or install {package}",
        ) from error
    return root / torchvision_name / "raw"


def _read(folder: Path, name: str) -> np.ndarray:
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

    path = folder / name
    if not path.is_file():
        path = folder / f"{name}.gz"
    try:
        if path.suffix != ".gz":
            return read_sn3_pascalvincent_tensor(str(path)).numpy()
        with tempfile.TemporaryDirectory() as scratch:  # torchvision reads plain files only
            plain = Path(scratch) / name
            with gzip.open(path) as packed, open(plain, "wb") as out:
                shutil.copyfileobj(packed, out)
            return read_sn3_pascalvincent_tensor(str(plain)).numpy()
    except (OSError, EOFError, zlib.error, ValueError, AssertionError, RuntimeError, LookupError) as error:
        reason = str(error) or type(error).__name__
        raise UserError(f"damaged idx file ({reason})", where=str(path), remedy="fetch the data again") from error
