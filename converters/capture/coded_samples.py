"""Samples as a module that codes its data itself codes them: what its graph takes."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from dalif_deploy.hw_models.errors import UserError

from .run_module import run_module

CHUNK = 64


def coded_samples(
    model: nn.Module,
    samples: torch.Tensor | np.ndarray,
    *,
    steps: int | None = None,
    time_axis: int | None = None,
) -> np.ndarray:
    """What comes of `samples` before the first layer of `model`, float32 [N, T, *shape], or [N, *shape] of one code.

    Random codes are drawn anew in each call: set a seed (`torch.manual_seed`).

    Args:
        samples, steps, time_axis: as `dalif_deploy.export` takes them.

    Raises:
        UserError: the forward takes its data as they are, or can't be followed.
    """
    given = torch.as_tensor(samples, dtype=torch.float32)
    batch_axis = 0
    if time_axis is not None:
        time_axis %= given.dim()
        batch_axis = 1 if time_axis == 0 else 0
    parts = []
    for part in given.split(CHUNK, batch_axis):
        count = part.shape[batch_axis]
        if count == 1:  # an axis of size 1 can't be told from others
            part = torch.cat([part, part], batch_axis)
        run = run_module(model, part, steps=steps, time_axis=time_axis)
        if run.coded is None:
            raise UserError(
                "the forward takes its data as they are",
                where=type(model).__name__,
                remedy="give the samples themselves to simulate and check",
            )
        parts.append(run.data[:count].to(torch.float32).numpy())
    return np.concatenate(parts)
