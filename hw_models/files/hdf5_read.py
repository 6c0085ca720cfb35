"""Looks over an HDF5 file of unknown origin before anything is read from it.

A file can name other files (external links, external storage, virtual datasets), lead in circles, and claim arrays that
it does not hold: a dataset whose chunks were never written takes no room on disk and all of it in memory. Any of this
is refused here, so that reading a file takes no more than `most_claimed` says.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np

from ..errors import UserError
from .claims import most_claimed

DEEPEST = 64  # groups within groups: nir's reader calls itself for each
MOST_TEXTS = 1 << 17  # text is read a piece at a time; a graph's edges are two each
CHUNK_OVERHEAD = 4096  # bytes that HDF5 2.0 was seen to take for each chunk that is read, written or not
COMPRESSION = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF, h5py.h5z.FILTER_SZIP}
# each gives out what it takes in; anything else is a plug-in that HDF5 would look for on this machine
OTHER_FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


def check_hdf5(path: str | Path) -> None:
    """Passes a file whose content lies in it, once, and is no larger than its bytes can hold.

    Raises:
        UserError: something else.
        OSError, RuntimeError, ...: damaged so that h5py can't list it; of the types that reading it would raise.
    """
    path = Path(path)
    room, texts = most_claimed(path), _Texts(path)
    with h5py.File(path, "r") as file:
        seen = {_address(file)}
        waiting: list[tuple[h5py.Group, int]] = [(file, 0)]
        while waiting:
            group, depth = waiting.pop()
            if depth > DEEPEST:
                raise _refused(path, group.name, f"is more than {DEEPEST} groups deep")
            for name in group:
                place = f"{str(group.name).rstrip('/')}/{name}"
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise _refused(path, place, "is a link elsewhere")
                item = group[name]
                address = _address(item)
                if address in seen:
                    raise _refused(path, place, "appears under two names")
                seen.add(address)
                if isinstance(item, h5py.Group):
                    waiting.append((item, depth + 1))
                elif isinstance(item, h5py.Dataset):
                    room -= _claimed(path, place, item)
                    if room < 0:
                        raise _refused(path, place, "claims more than a file of this size can hold")
                    if item.shape is not None and item.dtype.hasobject:
                        texts.add(place, item)


def _address(item: h5py.Group | h5py.Dataset) -> tuple[int, int]:
    found = h5py.h5o.get_info(item.id)
    return found.fileno, found.addr


def _claimed(path: Path, place: str, dataset: h5py.Dataset) -> int:
    """Bytes that it takes in memory, text apart."""
    if dataset.is_virtual or dataset.external:
        raise _refused(path, place, "lies in other files")
    if dataset.shape is None:
        return 0
    layout = dataset.id.get_create_plist()
    filters = [layout.get_filter(n)[0] for n in range(layout.get_nfilters())]
    # compressed twice, a byte would be a million
    if len([each for each in filters if each in COMPRESSION]) > 1 or set(filters) - COMPRESSION - OTHER_FILTERS:
        raise _refused(path, place, "is packed in a way that nir.write does not use")
    chunk = dataset.chunks or dataset.shape
    chunks: int = math.prod(-(-n // c) for n, c in zip(dataset.shape, chunk, strict=True)) if dataset.chunks else 0
    # a chunk is unpacked whole, and may be larger than the array
    count: int = max(math.prod(dataset.shape), math.prod(chunk))
    return count * int(dataset.dtype.itemsize) + chunks * CHUNK_OVERHEAD


class _Texts:
    """Text of any length lies beside the array, never compressed; many elements may share one place in the file."""

    def __init__(self, path: Path):
        self.path, self.count, self.length = path, 0, 0

    def add(self, place: str, dataset: h5py.Dataset) -> None:
        if h5py.check_string_dtype(dataset.dtype) is None:
            raise _refused(self.path, place, "is neither numbers nor text")
        self.count += math.prod(dataset.shape)
        if self.count > MOST_TEXTS:
            raise _refused(self.path, place, f"makes more than {MOST_TEXTS:,} pieces of text")
        for index in np.ndindex(*dataset.shape):
            self.length += len(dataset[index])
            if self.length > self.path.stat().st_size:
                raise _refused(self.path, place, "claims more text than the file holds")


def _refused(path: Path, place: str, what: str) -> UserError:
    return UserError(f"{place} {what}", where=str(path), remedy="take a file that nir.write or lava-dl wrote")
