"""Samples beside the data that make a compiled network do what the data does not."""

from __future__ import annotations

import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.converters.nir_file import graph_metadata
from dalif_deploy.hw_models.errors import UserError
from dalif_deploy.hw_models.samples.input_data import InputData


def stress_data(artefact: Artefact, count: int, steps: int | None = None) -> InputData:
    """`count` samples, see `dalif_deploy.hw_models.stress`; the same ones each time.

    Raises:
        UserError: the folder has no compiled network.
    """
    from dalif_deploy.hw_models.stress import stress_samples

    if not artefact.compiled:
        raise UserError(
            "--stress searches on a compiled network", where=str(artefact.folder), remedy="export with --target lava"
        )
    highest = float(graph_metadata(artefact.reference, "input_highest") or 1.0)
    found: dict[str, np.ndarray] = stress_samples(artefact.network, count, steps=steps, input_range=(0.0, highest)).data
    return found if len(found) > 1 else next(iter(found.values()))
