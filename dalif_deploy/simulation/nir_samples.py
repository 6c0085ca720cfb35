"""NIR data as samples for an exported network."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np

from dalif_deploy.converters.artefact import Artefact
from dalif_deploy.data import LabelledData
from dalif_deploy.data.nir_data import NirData, nir_arrays
from dalif_deploy.data.nir_data_file import read_nir_data
from dalif_deploy.hw_models.errors import UserError


def nir_file_samples(artefact: Artefact, path: str | Path, *, steps: int | None = None) -> LabelledData:
    """Samples of a file that `nir.write_data` wrote; see `nir_samples`."""
    return LabelledData(nir_samples(artefact, read_nir_data(path), steps=steps), None, None, Path(path).stem)


def nir_samples(artefact: Artefact, data: NirData, *, steps: int | None = None) -> dict[str, np.ndarray]:
    """Samples for each input, [N, T, *shape]; [N, *shape] for an input that enters as a constant bias.

    Args:
        data: see `dalif_deploy.data.nir_data.nir_arrays`.
        steps: of a sample, if not the exported ones.

    Raises:
        UserError: the data does not fit the network; a constant input's data changes or has other steps.
    """
    nodes = artefact.reference.nodes.items()
    shapes = {name: tuple(map(int, n.output_type["output"])) for name, n in nodes if isinstance(n, nir.Input)}
    network = artefact.network if artefact.compiled else None
    arrays = nir_arrays(data, shapes, artefact.dt, most_steps=None if network is None else network.steps)
    for name, array in arrays.items():
        if network is not None and network.inputs[name].mode == "bias":
            arrays[name] = _constant(name, array, steps or network.steps)
    return arrays


def _constant(name: str, array: np.ndarray, steps: int) -> np.ndarray:
    """A bias stays for a sample's whole time; NIR has no other form for it than the same value at each step."""
    if (array != array[:, :1]).any():
        raise UserError(
            "the data changes over time, but the network takes its input as a constant bias",
            where=name,
            remedy="export with --input graded, or with --input spikes for events",
        )
    if array.shape[1] != steps:
        raise UserError(
            f"the data has {array.shape[1]} steps, the run {steps}", where=name, remedy=f"pass --steps {array.shape[1]}"
        )
    return np.asarray(array[:, 0])
