"""Fashion-MNIST: found on this machine, else downloaded by torchvision."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zlib
from pathlib import Path

import numpy as np

from dalif_deploy.data.load import LabelledData
from hw_models.errors import UserError

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # package dataset-fashion-mnist
_FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
          "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}  # fmt: skip


def load_fashion_mnist(split: str, data_root: str | None) -> LabelledData:
    """Images [N, 1, 28, 28] in 0..1 (Xiao et al., arXiv 1708.07747), 60,000 to train and 10,000 to test.

    Looked for under `data_root`, under $DALIF_DATA and in Debian's folder; plain or gzipped. A download goes to
    the first of those that is named, else to the user's cache folder.

    Raises:
        UserError: not found and not downloadable, or damaged.
    """
    folder = _find(split, data_root) or _download(data_root)
    images, labels = (_read(folder, name) for name in _FILES[split])
    if images.ndim != 3 or images.dtype != np.uint8 or len(images) != len(labels) or len(images) == 0:
        raise UserError(
            "no bytes of images, or images and labels differ in number",
            where=str(folder),
            remedy="fetch the data again",
        )
    return LabelledData(
        (images[:, None] / np.float32(255)).astype(np.float32), labels.astype(np.int64), 1 / 255, "fashion-mnist"
    )


def _roots(data_root: str | None) -> list[Path]:
    named = [Path(root) for root in (data_root, os.environ.get("DALIF_DATA")) if root]
    return [*(r / sub for r in named for sub in ("", "FashionMNIST/raw", "fashion-mnist")), DEBIAN_FOLDER]


def _find(split: str, data_root: str | None) -> Path | None:
    for folder in _roots(data_root):
        if all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in _FILES[split]):
            return folder
    return None


def _download(data_root: str | None) -> Path:
    from torchvision.datasets import FashionMNIST

    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    root = Path(data_root or os.environ.get("DALIF_DATA") or Path(cache) / "dalif-deploy")
    try:
        FashionMNIST(str(root), download=True)
    # torchvision raises whatever its downloader meets: no network, HTTP faults, a wrong checksum
    except Exception as error:
        raise UserError(
            f"fashion-mnist is not here and can't be downloaded ({type(error).__name__})",
            remedy="give --data-root or $DALIF_DATA with the idx files, or install Debian's dataset-fashion-mnist",
        ) from error
    return root / "FashionMNIST" / "raw"


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
