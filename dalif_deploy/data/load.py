"""`NAME:SPLIT` or an .npz file, as arrays."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from dalif_deploy.data.data_sets import find_data_set
from dalif_deploy.data.labelled_data import LabelledData
from dalif_deploy.data.nir_data_file import is_nir_data
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line
from dalif_deploy.hw_models.files.zip_read import check_zip

_SAVEZ = "write it with np.savez"


def load_data(spec: str, data_root: str | None = None, *, steps: int | None = None) -> LabelledData:
    """Loads `NAME:SPLIT`, with a name of `DATA_SETS`, or a .npz with `input`.

    Args:
        data_root: where a data set's files are looked for first, and where a download goes.
        steps: frames that events are counted in; nothing else needs it.

    Raises:
        UserError: unknown name or split, missing data, a damaged file, events without `steps`, NIR data (see
            `dalif_deploy.simulation.nir_samples`).
    """
    if spec.endswith(".npz"):
        return _load_npz(Path(spec))
    if is_nir_data(spec):
        raise UserError(
            "NIR data is read only together with an exported network", where=spec, remedy="give arrays in a .npz"
        )
    data_set, split = find_data_set(spec)
    return data_set.load(split, data_root, steps)


def _load_npz(path: Path) -> LabelledData:
    if not path.is_file():
        raise UserError("no such file", where=str(path), remedy="check the path")
    # np.load refuses arrays of Python objects, which may hold code, but makes an array of any size that a header claims
    with damage_in_one_line("not a readable .npz of plain arrays", where=path, remedy=_SAVEZ):
        sizes = check_zip(path, stored=False, remedy=_SAVEZ)
        wanted = [name.removesuffix(".npy") for name in sizes]
        wanted = [name for name in wanted if name in ("input", "label") or name.startswith("input.")]
        for name in wanted:
            _require_claim_met(path, f"{name}.npy", sizes)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in wanted}
    labels = arrays.pop("label", None)
    if not arrays:
        raise UserError("has no array `input`", where=str(path), remedy="write np.savez(file, input=...)")
    if "input" in arrays and len(arrays) > 1:
        raise UserError("has both `input` and `input.NAME`", where=str(path), remedy="name every input, or none")
    checked = {name: _numbers(path, name, array) for name, array in arrays.items()}
    lengths = {len(array) for array in checked.values()}
    if len(lengths) > 1:
        raise UserError(
            f"the inputs have {sorted(lengths)} samples", where=str(path), remedy="give every input the same number"
        )
    if labels is not None and (labels.shape != (lengths.pop(),) or labels.dtype.kind not in "iu"):
        raise UserError("`label` is not one integer per sample", where=str(path), remedy="give shape [N]")
    labels = None if labels is None else labels.astype(np.int64)
    inputs = checked.get("input", {name.removeprefix("input."): array for name, array in checked.items()})
    return LabelledData(inputs, labels, None, path.stem)


def _require_claim_met(path: Path, member: str, sizes: dict[str, int]) -> None:
    with zipfile.ZipFile(path) as archive, archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read_header[version](file)
        claimed, held = math.prod(shape) * dtype.itemsize, sizes[member] - file.tell()
    if not dtype.hasobject and claimed != held:
        raise ValueError(f"{member} claims {claimed} bytes and has {held}")


def _numbers(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        raise UserError(
            f"`{name}` is {array.dtype} of shape {list(array.shape)}",
            where=str(path),
            remedy="give numbers of shape [N, ...]",
        )
    if array.size == 0:
        raise UserError(f"`{name}` has no samples", where=str(path), remedy="give at least one")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise UserError(
            f"`{name}` holds NaN, infinity or values beyond float32", where=str(path), remedy="repair the data"
        )
    return array
