"""Files of NIR's data form: HDF5, as `nir.write_data` writes and `nir.read_data` reads them."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import nir

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.atomic import atomic_file
from dalif_deploy.hw_models.files.damage import damage_in_one_line
from dalif_deploy.hw_models.files.hdf5_read import check_hdf5
from dalif_deploy.hw_models.files.ownership import MARK

ENDINGS = (".h5", ".hdf5")
_WRITE = "write it with nir.write_data"


def is_nir_data(spec: str | Path) -> bool:
    """Whether the name is that of a file of NIR data. nir itself asks for no ending."""
    return Path(spec).suffix.lower() in ENDINGS


def read_nir_data(path: str | Path) -> nir.NIRGraphData:
    """Reads a file that `nir.write_data` wrote.

    Raises:
        UserError: missing, damaged or another kind of file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError("no such file", where=str(path), remedy="check the path")
    if not h5py.is_hdf5(path):
        raise UserError("not a file of NIR data (not HDF5, or truncated)", where=str(path), remedy=_WRITE)
    with damage_in_one_line("not a readable file of NIR data", where=path, remedy=_WRITE):
        check_hdf5(path)
        return nir.read_data(path)


def write_nir_data(path: str | Path, data: nir.NIRGraphData, *, force: bool = False) -> None:
    """Writes a file that `nir.read_data` reads.

    Args:
        force: replaces a file that dalif-deploy wrote.

    Raises:
        UserError: the file is there, or can't be written.
    """
    content = io.BytesIO()
    nir.write_data(content, data)
    with h5py.File(content, "r+") as file:
        file.attrs["mark"] = MARK
    with atomic_file(path, force=force) as temporary:
        temporary.write_bytes(content.getvalue())
