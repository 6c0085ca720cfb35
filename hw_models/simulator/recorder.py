"""What a run keeps beside its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from ..chip_network.form import ChipNetwork
from ..samples.recording import Recording

RECORDS = {"spikes": np.uint8, "membrane": np.int32, "counts": np.int64}
Request = Iterable[str] | Mapping[str, Iterable[str]]


def wanted_records(network: ChipNetwork, record: Request) -> dict[str, list[str]]:
    """Kind of record -> populations.

    Args:
        record: kinds, of all populations, or a kind -> names of populations.

    Raises:
        ValueError: no such kind or population.
    """
    wanted = record if isinstance(record, Mapping) else dict.fromkeys(record, network.populations)
    wanted = {kind: list(names) for kind, names in wanted.items()}
    if not wanted.keys() <= RECORDS.keys():
        raise ValueError(f"record takes {', '.join(RECORDS)}, got {', '.join(map(str, wanted))}")
    unknown = {name for names in wanted.values() for name in names} - network.populations.keys()
    if unknown:
        raise ValueError(f"record names unknown populations: {', '.join(sorted(unknown))}")
    return wanted


def empty_recording(network: ChipNetwork, wanted: dict[str, list[str]], samples: int, steps: int) -> Recording:
    """Arrays for `samples` samples, to be filled."""
    recording = Recording()
    for kind, names in wanted.items():
        for name in names:
            shape = network.populations[name].shape
            lead = (samples,) if kind == "counts" else (samples, steps)
            getattr(recording, kind)[name] = np.zeros((*lead, *shape), dtype=RECORDS[kind])
    for output in network.outputs.values():
        recording.outputs[output.name] = np.zeros((samples, *network.populations[output.population].shape), np.int64)
    return recording


def recording_part(recording: Recording, samples: slice) -> Recording:
    """Views of a range of samples."""
    return Recording(
        **{kind: {name: array[samples] for name, array in arrays.items()} for kind, arrays in vars(recording).items()}
    )


def store(target: np.ndarray, values: torch.Tensor) -> None:
    """Copies values into an array of any numeric type, memory order and device apart."""
    torch.from_numpy(target).copy_(values)
