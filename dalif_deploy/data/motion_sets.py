"""Simulated events of a camera that moves before the images of MNIST, Fashion-MNIST and CIFAR-10.

Not recordings: see `dalif_deploy.data.simulated_events`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np

from dalif_deploy.data.frame_cache import cached_frames, labelled_frames
from dalif_deploy.data.labelled_data import LabelledData
from dalif_deploy.data.lazy_samples import LazySamples
from dalif_deploy.data.simulated_events import CLOSED_LOOP, NEARLY, SACCADES, Motion, simulated_frames

AT_A_TIME = 64  # images whose pixels stay in the caches from one view to the next
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def load_mnist_motion(split: str, data_root: str | None, steps: int) -> LabelledData:
    """MNIST before a camera that makes N-MNIST's three saccades, simulated: [N, T, 2, 34, 34]."""
    from dalif_deploy.data.mnist import load_mnist

    return _moved(load_mnist(split, data_root), SACCADES, f"mnist-motion-{split}", steps)


def load_fashion_motion(split: str, data_root: str | None, steps: int) -> LabelledData:
    """Fashion-MNIST before a camera that makes N-MNIST's three saccades, simulated: [N, T, 2, 34, 34]."""
    from dalif_deploy.data.fashion_mnist import load_fashion_mnist

    return _moved(load_fashion_mnist(split, data_root), SACCADES, f"fashion-motion-{split}", steps)


def load_cifar10_motion(split: str, data_root: str | None, steps: int) -> LabelledData:
    """CIFAR-10, in grey, moved around a closed loop before a camera, simulated: [N, T, 2, 32, 32]."""
    from dalif_deploy.data.cifar import load_cifar10

    return _moved(load_cifar10(split, data_root), CLOSED_LOOP, f"cifar10-motion-{split}", steps)


def _moved(images: LabelledData, motion: Motion, name: str, steps: int) -> LabelledData:
    pixels, labels = images.inputs, images.labels
    assert not isinstance(pixels, Mapping) and labels is not None  # sets of images have one input, and labels
    digest = hashlib.sha256()
    for part in _grey(pixels):
        digest.update(part.tobytes())
    height, width = (n + 2 * motion.margin for n in pixels.shape[-2:])
    shape = (len(pixels), steps, 2, height, width)
    counted = (simulated_frames(part, motion, steps) for part in _grey(pixels))
    frames = cached_frames(name, (digest.hexdigest(), motion, NEARLY), shape, counted)
    # the word stands wherever the name is shown beside a figure
    return labelled_frames(frames, labels, f"{name.rsplit('-', 1)[0]} (simulated events)")


def _grey(images: np.ndarray | LazySamples) -> Iterator[np.ndarray]:
    for start in range(0, len(images), AT_A_TIME):
        part = images[start : start + AT_A_TIME]
        yield part[:, 0] if part.shape[1] == 1 else np.einsum("nchw,c->nhw", part, LUMA)
