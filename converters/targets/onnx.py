"""Target "onnx": three models, and all that target lava writes, so that every engine runs on the same folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..artefact import NETWORK_FILE, ONNX_FILES
from ..onnx.builder import require_onnx
from ..source import Source
from .lava import write_lava_target
from .request import ExportRequest


def write_onnx_target(source: Source, request: ExportRequest, folder: Path) -> dict[str, Any]:
    """step.onnx and sequence.onnx (float) from the graph, chip.onnx (integers) from the compiled network."""
    require_onnx()
    import onnx

    from dalif_deploy.hw_models.chip_network.file import read_chip_network
    from dalif_deploy.hw_models.graph.flat_graph import flatten_graph

    from ..onnx.chip_model import chip_model
    from ..onnx.float_models import sequence_model, step_model
    from ..onnx.metadata import source_metadata
    from ..onnx.model_file import write_model

    figures = write_lava_target(source, request, folder)
    steps = figures["steps"]
    flat = flatten_graph(source.graph)
    metadata = source_metadata(source, flat, steps)
    write_model(folder / ONNX_FILES["step"], step_model(flat, source.dt, metadata))
    write_model(folder / ONNX_FILES["sequence"], sequence_model(flat, source.dt, steps, metadata))
    write_model(folder / ONNX_FILES["chip"], chip_model(read_chip_network(folder / NETWORK_FILE), metadata))
    return {**figures, "onnx": onnx.__version__}
