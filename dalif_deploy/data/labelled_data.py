"""What every loader gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dalif_deploy.data.lazy_samples import LazySamples
from dalif_deploy.hw_models.samples.input_data import InputData


@dataclass
class LabelledData:
    """Samples and, where known, their classes.

    Attributes:
        inputs: float32 [N, C, H, W] images in 0..1 (or whatever an .npz holds: [N, ...] or [N, T, ...], and for
            arrays called `input.NAME` a dict by NAME); large sets come as LazySamples. No mean is subtracted: 0 is what
            zero padding adds at a border. Events: counts [N, T, 2, H, W].
        labels: int64 [N], or None.
        step: value of one integer level of the data, None if unknown.
        name: the data set's name, or the file's stem.
        highest: largest value that the data is meant to have.
    """

    inputs: InputData | LazySamples
    labels: np.ndarray | None
    step: float | None
    name: str
    highest: float = 1.0
