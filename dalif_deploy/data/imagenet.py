"""ImageNet (ILSVRC 2012) from its folders, a folder a class; each image is read when it is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dalif_deploy.data.data_folders import data_folders
from dalif_deploy.data.labelled_data import LabelledData
from dalif_deploy.data.lazy_samples import LazySamples
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line

SHORT_SIDE, SIDE = 256, 224  # pixels
MOST_SIDES = 64  # that an image may be long in times of its width; ImageNet's are below 40
_REMEDY = "give --data-root or $DALIF_DATA with train/CLASS/*.JPEG and val/CLASS/*.JPEG (image-net.org)"


def load_imagenet(split: str, data_root: str | None) -> LabelledData:
    """Images [N, 3, 224, 224] in 0..1, the middle of the image after its shorter side was made 256.

    "test" is the folder val: the true test images have no labels. Classes are the names of the folders in order. The
    same crop is taken for training, so that a sample depends on its number alone; what makes a training image random
    is the training's own augmentation (crop_padding, flip), not the usual crop of random size.

    Raises:
        UserError: no such folder, a class without images, other classes in val than in train. Reading a sample: a
            damaged image.
    """
    from torchvision.datasets import ImageFolder

    folder = _find("train" if split == "train" else "val", data_root)
    try:
        images = ImageFolder(str(folder))
    except OSError as error:  # no folder of a class, one without images, one that may not be read
        raise UserError(f"no folders of images ({error})", where=str(folder), remedy=_REMEDY) from error
    training = folder.with_name("train")
    if training.is_dir() and sorted(each.name for each in training.iterdir() if each.is_dir()) != images.classes:
        # labels are places in that list: they would mean other classes
        raise UserError(
            "its classes differ from those of train", where=str(folder), remedy="give both the same class folders"
        )
    inputs = LazySamples((3, SIDE, SIDE), len(images), lambda index: read_image(images.samples[index][0]))
    return LabelledData(inputs, np.asarray(images.targets, dtype=np.int64), 1 / 255, "imagenet")


def _find(folder: str, data_root: str | None) -> Path:
    for root in data_folders(data_root, ("imagenet", "ImageNet", "ILSVRC2012")):
        if (root / folder).is_dir():
            return root / folder
    raise UserError("imagenet is missing and can't be downloaded", remedy=_REMEDY)


def read_image(path: str) -> np.ndarray:
    """Float32 [3, 224, 224]."""
    from PIL import Image
    from torchvision.transforms.functional import center_crop, resize

    with (
        damage_in_one_line("damaged image", where=path, remedy="fetch the data again"),
        # some of ImageNet's .JPEG files are PNG; of what else PIL can read, some starts other programs
        Image.open(path, formats=["JPEG", "PNG"]) as image,
    ):
        # what resize makes of a line of pixels would be far larger than the line
        if max(image.size) > MOST_SIDES * min(image.size):
            raise ValueError(f"{image.width} x {image.height} pixels")
        cropped = center_crop(resize(image.convert("RGB"), SHORT_SIDE), SIDE)
    return np.asarray(cropped, dtype=np.float32).transpose(2, 0, 1) / 255
