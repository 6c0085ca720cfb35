"""scikit-learn's 8x8 handwritten digits (UCI, 1,797 images, values 0..16): in the package, no download."""

from __future__ import annotations

import numpy as np

from dalif_deploy.data.labelled_data import LabelledData

SPLIT_SEED = 0


def load_digits(split: str, data_root: str | None = None) -> LabelledData:
    """Images [N, 1, 8, 8] in 0..1; a fixed stratified split of four fifths to one fifth. `data_root` is not needed."""
    from sklearn.datasets import load_digits as read_digits
    from sklearn.model_selection import train_test_split

    digits = read_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)
    parts = train_test_split(
        images, digits.target.astype(np.int64), test_size=0.2, random_state=SPLIT_SEED, stratify=digits.target
    )
    inputs, labels = (parts[0], parts[2]) if split == "train" else (parts[1], parts[3])
    return LabelledData(inputs, labels, 1 / 16, "digits")
