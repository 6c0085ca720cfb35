"""Fashion-MNIST (Xiao et al., arXiv 1708.07747)."""

from __future__ import annotations

from pathlib import Path

from dalif_deploy.data.data_folders import data_folders
from dalif_deploy.data.idx_images import load_idx_images
from dalif_deploy.data.labelled_data import LabelledData

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # package dataset-fashion-mnist


def load_fashion_mnist(split: str, data_root: str | None) -> LabelledData:
    """Images [N, 1, 28, 28] in 0..1, 60,000 to train and 10,000 to test; see `load_idx_images`."""
    folders = [*data_folders(data_root, ("FashionMNIST/raw", "fashion-mnist")), DEBIAN_FOLDER]
    return load_idx_images(
        split,
        data_root,
        name="fashion-mnist",
        folders=folders,
        torchvision_name="FashionMNIST",
        package="Debian's dataset-fashion-mnist",
    )
