"""Target "onnx": three models for ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .target import Target

if TYPE_CHECKING:
    from ..compile_source import Compiled


class OnnxTarget(Target):
    """step.onnx and sequence.onnx (float) from the graph, chip.onnx (integers) from the compiled network."""

    name, about = "onnx", "ONNX models: a float step, a float sequence, the integers"

    def require(self) -> None:
        """See Target."""
        from ..onnx.builder import require_onnx

        require_onnx()

    def write(self, compiled: Compiled, folder: Path) -> dict[str, Any]:
        """See Target."""
        import onnx

        from dalif_deploy.hw_models.graph.flat_graph import flatten_graph

        from ..onnx.chip_model import chip_model
        from ..onnx.float_models import sequence_model, step_model
        from ..onnx.metadata import source_metadata
        from ..onnx.model_file import CHIP_FILE, SEQUENCE_FILE, STEP_FILE, write_model

        source, steps = compiled.source, compiled.network.steps
        flat = flatten_graph(source.graph)
        metadata = source_metadata(source, flat, steps)
        write_model(folder / STEP_FILE, step_model(flat, source.dt, metadata))
        write_model(folder / SEQUENCE_FILE, sequence_model(flat, source.dt, steps, metadata))
        write_model(folder / CHIP_FILE, chip_model(compiled.network, metadata))
        return {"onnx": onnx.__version__}
