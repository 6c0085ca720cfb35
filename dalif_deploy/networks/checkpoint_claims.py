"""Looks over a checkpoint of unknown origin before torch reads it.

`torch.load(weights_only=True)` runs no code, but unpacks what is compressed and makes a bytearray of any size.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.plain_pickle import PlainUnpickler, require_tree
from dalif_deploy.hw_models.files.zip_read import check_zip


@dataclass(frozen=True)
class _Storage:
    """What stands for torch's storage types: bytes of a value."""

    itemsize: int


class _Tensor:
    """Stands for a tensor."""

    def __init__(self, *_: Any):
        pass


_ALLOWED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    **{
        ("torch", f"{name}Storage"): _Storage(dtype.itemsize)
        for name, dtype in (
            ("Float", torch.float32), ("Double", torch.float64), ("Half", torch.float16), ("BFloat16", torch.bfloat16),
            ("Long", torch.int64), ("Int", torch.int32), ("Short", torch.int16), ("Char", torch.int8),
            ("Byte", torch.uint8), ("Bool", torch.bool),
        )
    },
}  # fmt: skip


class _Claims(PlainUnpickler):
    def __init__(self, content: bytes, sizes: dict[str, int], folder: str):
        super().__init__(content, _ALLOWED, encoding="utf-8")
        self._sizes, self._folder = sizes, folder

    def persistent_load(self, pid: Any) -> None:
        """A tensor's values: as many bytes as the archive holds for them."""
        kind, storage, key, place, count = pid
        size = self._sizes.get(f"{self._folder}/data/{key}")
        if kind != "storage" or not isinstance(place, str) or storage.itemsize * count != size:
            raise ValueError(f"{count} values where there are {size} bytes")


def check_checkpoint(path: Path, *, remedy: str) -> None:
    """Passes what `save_checkpoint` writes: an uncompressed archive of plain values and tensors that it holds.

    Raises:
        UserError: something else.
        Exception: of any kind, where it is damaged.
    """
    sizes = check_zip(path, stored=True, remedy=remedy)
    (pickled,) = [name for name in sizes if name.endswith("/data.pkl")] or ["archive/data.pkl"]
    if "/".join((pickled.partition("/")[0], "constants.pkl")) in sizes:
        raise UserError("holds code, which is never run", where=str(path), remedy=remedy)
    with zipfile.ZipFile(path) as archive:
        content = archive.read(pickled)
    try:
        found = _Claims(content, sizes, pickled.rpartition("/")[0]).load()
        require_tree(found, most=16 * len(content))
    except pickle.UnpicklingError as error:
        raise UserError(_fault(str(error)), where=str(path), remedy=remedy) from error


def _fault(reason: str) -> str:
    if "torch._utils._rebuild_" in reason:
        return "holds tensors of a kind that no network of ours has"
    return "holds code, which is never run" if "it asks for" in reason else reason
