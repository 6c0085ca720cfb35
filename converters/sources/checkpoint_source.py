"""Source "checkpoint": a network of dalif-train, lowered to NIR."""

from __future__ import annotations

from pathlib import Path

from dalif_deploy.hw_models.errors import UserError

from ..file_digest import file_digest
from ..source import Source
from .source_reader import ReadRequest, SourceReader


class CheckpointSource(SourceReader):
    """Any file that no other reader takes: what is wrong with it is said when it is opened."""

    name, about = "checkpoint", "a checkpoint of dalif-train"

    def takes(self, given: object) -> bool:
        """See SourceReader."""
        return isinstance(given, Path)

    def read(self, given: Path, asked: ReadRequest) -> Source:
        """See SourceReader."""
        from dalif_deploy.hw_models.neurons.recurrence import DT_DEFAULT
        from dalif_deploy.networks.checkpoint import load_checkpoint

        from ..dalif_to_nir import network_to_nir

        digest = file_digest(given)
        checkpoint = load_checkpoint(given)
        step, highest = checkpoint.info.get("input_step"), checkpoint.info.get("input_highest", 1.0)
        if not isinstance(highest, float) or not 0 < highest < float("inf"):
            raise UserError("unusable info: input_highest", where=str(given), remedy="write one with dalif-train")
        graph = network_to_nir(
            checkpoint.network,
            dt=asked.dt or DT_DEFAULT,
            input_step=step,
            input_highest=highest,
            dataset=checkpoint.info.get("dataset"),
        )
        origin = "given" if asked.dt is not None else "chosen (the trained network has steps, not seconds)"
        steps, config = int(checkpoint.network.steps), checkpoint.info.get("config")
        trained_for = {}
        if isinstance(config, dict) and config.get("quantize"):
            trained_for = {key: config.get(key) for key in ("quantize", "weight_bits", "scale_group")}
        dt = asked.dt or DT_DEFAULT
        return Source(given, graph, dt, origin, steps, step, True, digest, highest, trained_for)
