"""Writes an ONNX model, checked, and opens one in onnxruntime."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.files.damage import damage_in_one_line

if TYPE_CHECKING:
    import onnx

STEP_FILE, SEQUENCE_FILE, CHIP_FILE = "step.onnx", "sequence.onnx", "chip.onnx"
# A protobuf message ends at 2 GiB; what is not a weight stays far below the rest of it
LARGEST_INSIDE = (1 << 31) - (1 << 26)


def write_model(path: Path, model: onnx.ModelProto) -> None:
    """Writes `model`, with its weights in a file of their own beside it only where one file can't hold them.

    Raises:
        onnx.checker.ValidationError: the model is not ONNX (a fault of ours).
    """
    import onnx

    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) <= LARGEST_INSIDE:
        onnx.checker.check_model(model, full_check=True)
        onnx.save_model(model, path)
        return
    onnx.save_model(model, path, save_as_external_data=True, location=f"{path.name}.data")
    onnx.checker.check_model(str(path), full_check=True)


class OnnxSession:
    """A model in onnxruntime, on the CPU.

    Args:
        threads: of each operator; as many as torch uses by default.

    Raises:
        UserError: onnxruntime is missing, or does not take the file.
    """

    def __init__(self, path: Path, threads: int | None = None):
        require_onnxruntime()
        import onnxruntime

        require_own_data(path)
        self._path = path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or _torch_threads()
        options.log_severity_level = 3  # errors only: it warns of graphics cards that it does not find
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common type of their own
            reason = f"onnxruntime can't open it ({str(error).splitlines()[0]})"
            raise UserError(reason, where=str(path), remedy="export it again") from error
        self.inputs = {item.name: item for item in self._session.get_inputs()}
        self.outputs = [item.name for item in self._session.get_outputs()]
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, values: dict[str, np.ndarray], outputs: list[str] | None = None) -> dict[str, np.ndarray]:
        """Outputs by name, all unless some are named."""
        names = self.outputs if outputs is None else outputs
        with damage_in_one_line("onnxruntime can't run it", where=self._path, remedy="export it again"):
            return dict(zip(names, self._session.run(names, values), strict=True))


def require_own_data(path: Path) -> None:
    """Raises UserError for a model that names a file other than the one beside it that `write_model` writes.

    onnxruntime has a check of its own only in later versions. Models that name no file are not read here.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b"location") < 0:  # the key that such a name stands behind
            return
    import onnx
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    with damage_in_one_line("not a readable ONNX model", where=path, remedy="export it again"):
        for tensor in _get_all_tensors(onnx.load_model(path, load_external_data=False)):
            named = {entry.key: entry.value for entry in tensor.external_data}.get("location")
            if uses_external_data(tensor) and named != f"{path.name}.data":
                raise UserError(f"{tensor.name} lies in {named}", where=str(path), remedy="export it again")


def require_onnxruntime() -> None:
    """Raises UserError if onnxruntime is not installed."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise UserError(f"needs onnxruntime ({error})", remedy="pip install 'dalif-deploy[onnx]'") from error


def _torch_threads() -> int:
    # onnxruntime does not heed OMP_NUM_THREADS itself
    import torch

    return torch.get_num_threads()
