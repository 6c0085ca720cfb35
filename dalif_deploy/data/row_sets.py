"""Images as sequences: a row of pixels a step, from the top. No step alone shows what the image is."""

from __future__ import annotations

import numpy as np

from dalif_deploy.data.labelled_data import LabelledData


def load_digits_rows(split: str, data_root: str | None) -> LabelledData:
    """scikit-learn's digits row by row: [N, 8, 1, 1, 8]."""
    from dalif_deploy.data.digits import load_digits

    return _rows(load_digits(split, data_root))


def load_fashion_rows(split: str, data_root: str | None) -> LabelledData:
    """Fashion-MNIST row by row: [N, 28, 1, 1, 28]."""
    from dalif_deploy.data.fashion_mnist import load_fashion_mnist

    return _rows(load_fashion_mnist(split, data_root))


def _rows(images: LabelledData) -> LabelledData:
    pixels = images.inputs
    assert isinstance(pixels, np.ndarray)  # both sets are held in memory
    rows = np.ascontiguousarray(pixels.transpose(0, 2, 1, 3)[:, :, None])
    return LabelledData(rows, images.labels, images.step, f"{images.name.removesuffix('-mnist')}-rows", images.highest)
