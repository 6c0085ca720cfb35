"""Source "module": a torch module in memory, verified against itself."""

from __future__ import annotations

import sys
from typing import Any

from dalif_deploy.hw_models.errors import UserError

from ..source import Source
from .source_reader import ReadRequest, SourceReader


class LiveModuleSource(SourceReader):
    """A trained module of any framework, with an example of its input."""

    name, about = "module", "a torch module"
    in_memory = True

    def takes(self, given: object) -> bool:
        """See SourceReader."""
        torch: Any = sys.modules.get("torch")  # who has a module has imported it
        return torch is not None and isinstance(given, torch.nn.Module)

    def read(self, given: Any, asked: ReadRequest) -> Source:
        """See SourceReader."""
        import numpy as np
        import torch

        from ..capture.source import source_of_module

        if asked.reset is not None:
            raise UserError("a module defines its own reset", remedy="leave out reset")
        if asked.example is None:
            raise UserError("a module needs an example of its input", remedy="give example_input, [N, *shape]")
        example = torch.as_tensor(asked.example, dtype=torch.float32)
        return source_of_module(
            given,
            example,
            steps=asked.steps,
            time_axis=asked.time_axis,
            rewrite=dict(asked.rewrite),
            labels=None if asked.labels is None else np.asarray(asked.labels),
        )
